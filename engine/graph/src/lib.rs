//! Operations, shapes, differentiation and rewriting; no execution, no I/O.
