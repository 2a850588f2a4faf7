//! A readable table of a traced model.

use std::fmt;

use bessemer_graph::ops::source::Source;
use bessemer_graph::{Node, Op};

use crate::trace::Trace;

/// Operations of a part that are printed by name.
const MAX_OPERATIONS: usize = 4;

/// One part of a model: neighbouring operations of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where in the model it stands.
    pub scope: String,
    /// Its operations, each once, in order.
    pub operations: Vec<&'static str>,
    /// The shape that it gives.
    pub shape: Vec<usize>,
    /// Learned numbers that it is the first to read.
    pub parameters: usize,
}

/// The parts of a model and what they weigh; prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The parts, in the order in which they run.
    pub rows: Vec<Row>,
    /// Numbers that follow gradients.
    pub parameters: usize,
    /// Numbers that follow statistics.
    pub buffers: usize,
    /// Bytes of parameters and buffers.
    pub bytes: usize,
}

impl Summary {
    /// Of all that was traced so far.
    pub fn new(t: &Trace) -> Summary {
        let size = |index: usize| t.graph.parameters()[index].shape.iter().product::<usize>();
        let parameter = |node: &Node| match node.op {
            Op::Source(Source::Parameter(index)) => Some(index),
            _ => None,
        };
        let mut unread: Vec<bool> = t.buffers().iter().map(|is_buffer| !is_buffer).collect();
        let mut rows: Vec<Row> = Vec::new();
        let mut reading = 0;
        for node in t.graph.nodes() {
            // A parameter is declared just before what reads it.
            if let Some(index) = parameter(node) {
                reading += if std::mem::take(&mut unread[index]) { size(index) } else { 0 };
            }
            let same_scope = rows.last().is_some_and(|row| *row.scope == *node.scope);
            if matches!(node.op, Op::Source(_)) || matches!(node.op, Op::Reshape(_)) && !same_scope {
                continue;
            }
            if !same_scope {
                let (scope, operations) = (node.scope.to_string(), Vec::new());
                rows.push(Row { scope, operations, shape: Vec::new(), parameters: 0 });
            }
            let row = rows.last_mut().expect("pushed above");
            let name = node.op.operation().name();
            if !matches!(node.op, Op::Reshape(_)) && !row.operations.contains(&name) {
                row.operations.push(name);
            }
            row.shape = t.graph.shape(node.outputs[0]).to_vec();
            row.parameters += std::mem::take(&mut reading);
        }
        let total = |buffers: bool| {
            (0..t.buffers().len()).filter(|&i| t.buffers()[i] == buffers).map(size).sum::<usize>()
        };
        let (parameters, buffers) = (total(false), total(true));
        Summary { rows, parameters, buffers, bytes: 4 * (parameters + buffers) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["scope", "operations", "output", "parameters"].map(String::from);
        let cells = self.rows.iter().map(|row| {
            let parameters = if row.parameters > 0 { grouped(row.parameters) } else { String::new() };
            let (shown, rest) = row.operations.split_at(row.operations.len().min(MAX_OPERATIONS));
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            [row.scope.clone(), shown.join(", ") + &more, format!("{:?}", row.shape), parameters]
        });
        let table: Vec<[String; 4]> = std::iter::once(head).chain(cells).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [scope, operations, output, parameters] = [0, 1, 2, 3].map(width);
        for [a, b, c, d] in &table {
            let line = format!("{a:scope$}  {b:operations$}  {c:output$}  {d:>parameters$}");
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "{} parameters", grouped(self.parameters))?;
        if self.buffers > 0 {
            write!(f, " and {} running statistics", grouped(self.buffers))?;
        }
        let kib = self.bytes as f64 / 1024.0;
        if kib < 1024.0 { write!(f, ", {kib:.1} KiB") } else { write!(f, ", {:.1} MiB", kib / 1024.0) }
    }
}

/// 1234567 as 1,234,567.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut result = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Activation, BatchNorm1d, Conv1d, EncoderLayer, Linear, Masks, MaxPool1d};

    #[test]
    fn an_encoder() {
        let mut t = Trace::new(8, 32, true);
        let x = t.input("x", &[10, 4]);
        let x = t.scope("embed", |t| Linear::new(4, 16).forward(t, x)).unwrap();
        let layer =
            EncoderLayer { dropout: 0.1, activation: Activation::GeluErf, ..EncoderLayer::new(16, 4, 32) };
        let x = t.scope("encoder.0", |t| layer.forward(t, x, Masks::default())).unwrap();
        let x = t.graph.reshape(x, &[8, 160]).unwrap();
        t.scope("head", |t| Linear::new(160, 5).forward(t, x)).unwrap();
        insta::assert_snapshot!(Summary::new(&t));
    }

    #[test]
    fn a_convolution() {
        let mut t = Trace::new(8, 32, true);
        let x = t.input("x", &[3, 24]);
        let conv = Conv1d { padding: 1, ..Conv1d::new(3, 8, 3) };
        let x = t.scope("conv", |t| conv.forward(t, x)).unwrap();
        let x = t.scope("norm", |t| BatchNorm1d::new(8).forward(t, x)).unwrap();
        let x = Activation::Relu.forward(&mut t, x).unwrap();
        MaxPool1d::new(2).forward(&mut t, x).unwrap();
        insta::assert_snapshot!(Summary::new(&t));
    }

    #[test]
    fn digits_in_groups() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
