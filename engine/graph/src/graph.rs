//! The graph: nodes in topological order, each an operation over earlier values.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::GraphError;
use crate::operation::{Cost, Op};
use crate::ops::source::Source;
use crate::shape::Type;

/// Names a value of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    /// Position in [`Graph::types`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operation in a graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// What it gives.
    pub outputs: Vec<ValueId>,
    /// Where in the model it stands, such as `encoder.0.attention`.
    pub scope: Arc<str>,
}

/// A learned tensor of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Full name, such as `encoder.0.weight`.
    pub name: String,
    /// Axis lengths.
    pub shape: Vec<usize>,
}

/// A tensor given anew for every batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Shape of the whole micro-batch; the first axis is the sample.
    pub ty: Type,
}

/// A computation for one micro-batch.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    types: Vec<Type>,
    parameters: Vec<Parameter>,
    inputs: Vec<Input>,
    constants: Vec<Arc<[f32]>>,
    outputs: Vec<(String, ValueId)>,
    gradients: Vec<(usize, ValueId)>,
    buffers: Vec<(usize, ValueId)>,
    loss: Option<ValueId>,
    scope: Vec<String>,
    dropout_sites: u32,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// The nodes, in an order in which they can be run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The type of every value, by [`ValueId::index`].
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &Type {
        &self.types[value.index()]
    }

    /// The shape of a value.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.ty(value).shape
    }

    /// Parameters in order of declaration.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Inputs in order of declaration.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Constants, by the index their source carries.
    pub fn constants(&self) -> &[Arc<[f32]>] {
        &self.constants
    }

    /// Named results.
    pub fn outputs(&self) -> &[(String, ValueId)] {
        &self.outputs
    }

    /// Contributions to parameter gradients: (parameter, value of the parameter's shape). A
    /// parameter used twice has two; they are summed.
    pub fn gradients(&self) -> &[(usize, ValueId)] {
        &self.gradients
    }

    /// New values of parameters that follow statistics rather than gradients.
    pub fn buffers(&self) -> &[(usize, ValueId)] {
        &self.buffers
    }

    /// The micro-batch's summed loss, a scalar.
    pub fn loss(&self) -> Option<ValueId> {
        self.loss
    }

    /// Enters a named part of the model.
    pub fn enter(&mut self, name: &str) {
        self.scope.push(name.to_string());
    }

    /// Leaves the part entered last.
    pub fn leave(&mut self) {
        self.scope.pop();
    }

    /// The full name of the part being built.
    pub fn scope(&self) -> String {
        self.scope.join(".")
    }

    /// Declares an input whose first axis is the sample.
    pub fn input(&mut self, name: &str, ty: Type) -> ValueId {
        let index = self.inputs.len();
        self.inputs.push(Input { name: name.to_string(), ty: ty.clone() });
        self.source(Source::Input(index), ty)
    }

    /// Declares a parameter under the current scope, or finds it again.
    pub fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<ValueId, GraphError> {
        let full = self.scope.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        if let Some(index) = self.parameters.iter().position(|p| p.name == full) {
            let first = self.parameters[index].shape.clone();
            if first != shape {
                return Err(GraphError::ParameterClash { name: full, first, second: shape.to_vec() });
            }
            let found = self.nodes.iter().find(|n| n.op == Op::Source(Source::Parameter(index)));
            if let Some(node) = found {
                return Ok(node.outputs[0]);
            }
        }
        let index = self.parameters.len();
        self.parameters.push(Parameter { name: full, shape: shape.to_vec() });
        Ok(self.source(Source::Parameter(index), Type::f32(shape)))
    }

    /// A constant tensor.
    ///
    /// # Panics
    /// If the data's length is not the shape's.
    pub fn constant(&mut self, shape: &[usize], data: impl Into<Arc<[f32]>>) -> ValueId {
        let data = data.into();
        let ty = Type::f32(shape);
        assert_eq!(ty.len(), data.len(), "constant of shape {shape:?}");
        let same = |c: &Arc<[f32]>| c.iter().map(|x| x.to_bits()).eq(data.iter().map(|x| x.to_bits()));
        let index = self.constants.iter().position(same).unwrap_or_else(|| {
            self.constants.push(data.clone());
            self.constants.len() - 1
        });
        self.source(Source::Constant(index), ty)
    }

    /// A constant scalar.
    pub fn scalar(&mut self, x: f32) -> ValueId {
        self.constant(&[], [x].as_slice())
    }

    /// The number that the step multiplies the summed loss by, such as 1 / elements of the batch.
    pub fn loss_scale(&mut self) -> ValueId {
        self.source(Source::LossScale, Type::f32([]))
    }

    fn source(&mut self, source: Source, ty: Type) -> ValueId {
        self.push_node(source.into(), &[], vec![ty])[0]
    }

    /// Appends an operation; its outputs, or what is wrong with the shapes.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<Vec<ValueId>, GraphError> {
        let op = op.into();
        let types: Vec<Type> = inputs.iter().map(|&v| self.ty(v).clone()).collect();
        let outputs = op.operation().infer(&types).map_err(|problem| GraphError::Shape {
            operation: op.operation().name(),
            scope: self.scope(),
            problem,
        })?;
        Ok(self.push_node(op, inputs, outputs))
    }

    /// Appends an operation with one output.
    pub fn apply1(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, GraphError> {
        Ok(self.apply(op, inputs)?[0])
    }

    fn push_node(&mut self, op: Op, inputs: &[ValueId], types: Vec<Type>) -> Vec<ValueId> {
        let first = self.types.len() as u32;
        let outputs: Vec<ValueId> = (0..types.len() as u32).map(|i| ValueId(first + i)).collect();
        self.types.extend(types);
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            scope: self.scope().into(),
        });
        outputs
    }

    /// Names a result to be read after a run.
    pub fn output(&mut self, name: &str, value: ValueId) {
        self.outputs.push((name.to_string(), value));
    }

    /// Drops the outputs of other numbers than those wanted.
    pub fn keep_outputs(&mut self, wanted: impl Fn(usize) -> bool) {
        let mut number = 0;
        self.outputs.retain(|_| {
            number += 1;
            wanted(number - 1)
        });
    }

    /// Makes a scalar the loss: summed over the micro-batch, scaled by the step.
    pub fn set_loss(&mut self, loss: ValueId) {
        self.loss = Some(loss);
    }

    /// Gives a parameter the value of `value` after the step (running statistics).
    pub fn update_buffer(&mut self, parameter: ValueId, value: ValueId) {
        let node = self.nodes.iter().find(|n| n.outputs.contains(&parameter));
        if let Some(Op::Source(Source::Parameter(index))) = node.map(|n| &n.op) {
            self.buffers.push((*index, value));
        }
    }

    /// A number that no other random operation of this graph has.
    pub fn next_dropout_site(&mut self) -> u32 {
        self.dropout_sites += 1;
        self.dropout_sites - 1
    }

    pub(crate) fn add_gradient(&mut self, parameter: usize, value: ValueId) {
        self.gradients.push((parameter, value));
    }

    pub(crate) fn set_scope(&mut self, scope: &str) {
        self.scope = if scope.is_empty() { Vec::new() } else { vec![scope.to_string()] };
    }

    /// The cost of a node.
    pub fn cost(&self, node: &Node) -> Cost {
        let types = |ids: &[ValueId]| ids.iter().map(|&v| self.ty(v).clone()).collect::<Vec<_>>();
        node.op.operation().cost(&types(&node.inputs), &types(&node.outputs))
    }

    /// Every value that something outside the graph reads.
    pub fn roots(&self) -> Vec<ValueId> {
        let outputs = self.outputs.iter().map(|(_, v)| *v);
        let gradients = self.gradients.iter().map(|(_, v)| *v);
        let buffers = self.buffers.iter().map(|(_, v)| *v);
        self.loss.into_iter().chain(outputs).chain(gradients).chain(buffers).collect()
    }

    /// Rebuilds the graph node by node: `rewrite` appends what should stand for a node (given its
    /// already rewritten inputs) to the new graph and names the values that replace its outputs.
    pub fn rewrite(
        &self,
        mut rewrite: impl FnMut(&mut Graph, usize, &Node, &[ValueId]) -> Result<Vec<ValueId>, GraphError>,
    ) -> Result<Graph, GraphError> {
        let mut new = Graph {
            parameters: self.parameters.clone(),
            inputs: self.inputs.clone(),
            constants: self.constants.clone(),
            dropout_sites: self.dropout_sites,
            ..Graph::default()
        };
        let mut map: Vec<Option<ValueId>> = vec![None; self.types.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let inputs: Option<Vec<ValueId>> = node.inputs.iter().map(|v| map[v.index()]).collect();
            let Some(inputs) = inputs else { continue }; // reads a value that was dropped
            new.set_scope(&node.scope);
            let outputs = rewrite(&mut new, index, node, &inputs)?;
            for (old, new) in node.outputs.iter().zip(outputs) {
                map[old.index()] = Some(new);
            }
        }
        new.scope.clear();
        let moved = |v: &ValueId| map[v.index()].expect("a value that is read from outside was dropped");
        new.loss = self.loss.as_ref().map(moved);
        new.outputs = self.outputs.iter().map(|(n, v)| (n.clone(), moved(v))).collect();
        new.gradients = self.gradients.iter().map(|(p, v)| (*p, moved(v))).collect();
        new.buffers = self.buffers.iter().map(|(p, v)| (*p, moved(v))).collect();
        Ok(new)
    }

    /// After a rewrite: where a value read from outside was replaced later than its own node was
    /// rewritten, reads the replacement.
    pub(crate) fn redirect(&mut self, old: &Graph, replaced: &HashMap<ValueId, ValueId>) {
        let redirect = |to: &mut ValueId, from: ValueId| {
            if let Some(value) = replaced.get(&from) {
                *to = *value;
            }
        };
        for (new, (_, v)) in self.outputs.iter_mut().zip(&old.outputs) {
            redirect(&mut new.1, *v);
        }
        for (new, (_, v)) in self.gradients.iter_mut().zip(&old.gradients) {
            redirect(&mut new.1, *v);
        }
        for (new, (_, v)) in self.buffers.iter_mut().zip(&old.buffers) {
            redirect(&mut new.1, *v);
        }
        if let (Some(new), Some(v)) = (self.loss.as_mut(), old.loss) {
            redirect(new, v);
        }
    }

    /// Copies a node into a graph that is being rewritten.
    pub fn copy_node(&mut self, old: &Graph, node: &Node, inputs: &[ValueId]) -> Vec<ValueId> {
        let types = node.outputs.iter().map(|&v| old.ty(v).clone()).collect();
        self.push_node(node.op.clone(), inputs, types)
    }
}
