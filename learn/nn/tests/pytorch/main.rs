//! Comparison with numbers from PyTorch, read from `tests/fixtures`.

mod fixture;
mod operations;
mod parity;
