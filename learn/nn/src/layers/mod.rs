//! One layer a file. A layer is a plain description; its parameters are declared when it is traced.

mod linear;

pub use linear::Linear;
