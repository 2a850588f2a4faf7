//! Compiles a graph into a straight list of kernel calls over one arena, and runs it in lanes.
