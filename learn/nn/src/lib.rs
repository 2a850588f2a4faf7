//! Layers, losses and initialisers.
