//! Rewriting: graph in, equal but cheaper graph out.

pub mod materialise_attention;
