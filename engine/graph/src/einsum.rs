//! Einstein's notation for products: axes by letters, sums over those that the result leaves out.

use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::ops::matmul::MatMul;
use crate::ops::reduce::Reduction;

type Built = Result<ValueId, GraphError>;

/// A value and the letters of its axes.
#[derive(Clone)]
struct Operand {
    value: ValueId,
    letters: Vec<char>,
}

impl Graph {
    /// Multiplies values whose axes are named by letters, and sums over the letters that the result
    /// doesn't name: `"bhqd,bhkd->bhqk"`. A letter has one length throughout.
    ///
    /// Becomes matrix products, permutations and reshapes; element-wise products where nothing is summed.
    /// More than two operands are multiplied from left to right.
    ///
    /// ```
    /// use bessemer_graph::{Graph, Type};
    ///
    /// let mut g = Graph::new();
    /// let queries = g.input("queries", Type::f32([2, 8, 42, 16]));
    /// let keys = g.input("keys", Type::f32([2, 8, 42, 16]));
    /// let scores = g.einsum("bhqd,bhkd->bhqk", &[queries, keys])?;
    /// assert_eq!(g.shape(scores), [2, 8, 42, 42]);
    /// # Ok::<(), bessemer_graph::GraphError>(())
    /// ```
    ///
    /// # Errors
    /// If the notation can't be read, or doesn't fit the shapes. A letter twice in one operand (a
    /// diagonal) and `...` are not supported.
    pub fn einsum(&mut self, notation: &str, operands: &[ValueId]) -> Built {
        let scope = self.scope();
        let wrong = |problem: String| GraphError::Shape {
            operation: "einsum",
            scope: scope.clone(),
            problem: format!("`{notation}`: {problem}"),
        };
        let (mut operands, result) = self.read(notation, operands).map_err(wrong)?;
        let mut so_far = operands.remove(0);
        while !operands.is_empty() {
            let next = operands.remove(0);
            let later = |letter: &char| {
                result.contains(letter) || operands.iter().any(|operand| operand.letters.contains(letter))
            };
            // What is still needed, in the order of the result as far as that goes.
            let mut wanted: Vec<char> = so_far.letters.clone();
            wanted.extend(next.letters.iter().filter(|letter| !so_far.letters.contains(letter)));
            wanted.retain(later);
            wanted.sort_by_key(|letter| result.iter().position(|other| other == letter));
            so_far = self.pair(so_far, next, &wanted)?;
        }
        let summed = self.sum_others(so_far, &result)?;
        self.ordered(&summed, &result)
    }

    /// Operands with their letters, and the letters of the result; or what is wrong.
    fn read(&self, notation: &str, values: &[ValueId]) -> Result<(Vec<Operand>, Vec<char>), String> {
        let Some((left, right)) = notation.split_once("->") else {
            return Err("wants the result's letters after `->`, such as `ij,jk->ik`".into());
        };
        let letters = |text: &str| -> Result<Vec<char>, String> {
            let letters: Vec<char> = text.trim().chars().collect();
            for (i, letter) in letters.iter().enumerate() {
                if !letter.is_ascii_alphabetic() {
                    return Err(format!("`{letter}` is no letter"));
                }
                if letters[..i].contains(letter) {
                    return Err(format!("`{letter}` stands twice in `{text}`; take a diagonal beforehand"));
                }
            }
            Ok(letters)
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != values.len() {
            return Err(format!("names {} operands, and gets {}", terms.len(), values.len()));
        }
        let mut operands: Vec<Operand> = Vec::new();
        let mut lengths: Vec<(char, usize)> = Vec::new();
        for (term, &value) in terms.iter().zip(values) {
            let (letters, shape) = (letters(term)?, self.shape(value));
            if letters.len() != shape.len() {
                return Err(format!("`{}` is given {} axes, {shape:?}", term.trim(), shape.len()));
            }
            for (&letter, &length) in letters.iter().zip(shape) {
                match lengths.iter().find(|(other, _)| *other == letter) {
                    Some((_, first)) if *first != length => {
                        return Err(format!("`{letter}` is {first} long, and then {length}"));
                    }
                    Some(_) => {}
                    None => lengths.push((letter, length)),
                }
            }
            operands.push(Operand { value, letters });
        }
        let result = letters(right)?;
        match result.iter().find(|letter| !lengths.iter().any(|(other, _)| other == *letter)) {
            Some(letter) => Err(format!("no operand has the `{letter}` of the result")),
            None => Ok((operands, result)),
        }
    }

    /// Two operands' product with just these letters, in some order.
    fn pair(&mut self, a: Operand, b: Operand, wanted: &[char]) -> Result<Operand, GraphError> {
        let needed = |one: &Operand, other: &Operand| -> Vec<char> {
            let keep = |letter: &&char| wanted.contains(letter) || other.letters.contains(letter);
            one.letters.iter().filter(keep).copied().collect()
        };
        let (a_needed, b_needed) = (needed(&a, &b), needed(&b, &a));
        let (a, b) = (self.sum_others(a, &a_needed)?, self.sum_others(b, &b_needed)?);
        let within = |letter: &char| a.letters.contains(letter) && b.letters.contains(letter);
        let shared: Vec<char> = wanted.iter().filter(|letter| within(letter)).copied().collect();
        let summed: Vec<char> =
            a.letters.iter().filter(|letter| within(letter) && !wanted.contains(letter)).copied().collect();
        let alone = |one: &Operand| -> Vec<char> {
            wanted.iter().filter(|letter| one.letters.contains(letter) && !within(letter)).copied().collect()
        };
        let (rows, columns) = (alone(&a), alone(&b));
        let length = |letters: &[char]| -> Vec<usize> {
            let of = |letter: &char| {
                let operand = if a.letters.contains(letter) { &a } else { &b };
                let axis = operand.letters.iter().position(|other| other == letter);
                self.shape(operand.value)[axis.expect("an operand has it")]
            };
            letters.iter().map(of).collect()
        };
        let size = |letters: &[char]| length(letters).iter().product::<usize>();
        let batch = length(&shared);
        let letters = [shared.clone(), rows.clone(), columns.clone()].concat();
        let shape = length(&letters);
        let (m, n, k) = (size(&rows), size(&columns), size(&summed));
        let flat = |sizes: [usize; 2]| -> Vec<usize> {
            let count: usize = batch.iter().product();
            if shared.is_empty() { sizes.to_vec() } else { [&[count][..], &sizes].concat() }
        };
        let value = if summed.is_empty() || (rows.is_empty() && columns.is_empty()) {
            // Nothing to sum, or nothing but sums: element by element.
            let a_letters = [shared.clone(), rows.clone(), summed.clone()].concat();
            let b_letters = [shared.clone(), columns.clone(), summed.clone()].concat();
            let (a_value, b_value) = (self.ordered(&a, &a_letters)?, self.ordered(&b, &b_letters)?);
            let (a_shape, b_shape) = match summed.is_empty() {
                true => (flat([m, 1]), flat([1, n])),
                false => (flat([1, k]), flat([1, k])),
            };
            let a_value = self.reshape(a_value, &a_shape)?;
            let b_value = self.reshape(b_value, &b_shape)?;
            let product = self.mul(a_value, b_value)?;
            match summed.is_empty() {
                true => product,
                false => self.reduce(product, Reduction::Sum, a_shape.len() - 1)?,
            }
        } else {
            // As they lie, if they lie as a product can read them.
            let a_turned = a.letters == [shared.clone(), summed.clone(), rows.clone()].concat();
            let b_turned = b.letters == [shared.clone(), columns.clone(), summed.clone()].concat();
            let [first, second] = if a_turned { [&summed, &rows] } else { [&rows, &summed] };
            let a_value = self.ordered(&a, &[&shared[..], first, second].concat())?;
            let a_value = self.reshape(a_value, &flat(if a_turned { [k, m] } else { [m, k] }))?;
            let [first, second] = if b_turned { [&columns, &summed] } else { [&summed, &columns] };
            let b_value = self.ordered(&b, &[&shared[..], first, second].concat())?;
            let b_value = self.reshape(b_value, &flat(if b_turned { [n, k] } else { [k, n] }))?;
            self.apply1(MatMul { transpose_a: a_turned, transpose_b: b_turned }, &[a_value, b_value])?
        };
        Ok(Operand { value: self.reshape(value, &shape)?, letters })
    }

    /// Sums over all letters but these.
    fn sum_others(&mut self, operand: Operand, wanted: &[char]) -> Result<Operand, GraphError> {
        let Operand { mut value, mut letters } = operand;
        while let Some(axis) = letters.iter().position(|letter| !wanted.contains(letter)) {
            value = self.reduce(value, Reduction::Sum, axis)?;
            let mut shape = self.shape(value).to_vec();
            shape.remove(axis);
            value = self.reshape(value, &shape)?;
            letters.remove(axis);
        }
        Ok(Operand { value, letters })
    }

    /// The same with its axes in this order.
    fn ordered(&mut self, operand: &Operand, wanted: &[char]) -> Built {
        if operand.letters == wanted {
            return Ok(operand.value);
        }
        let place = |letter: &char| operand.letters.iter().position(|other| other == letter);
        let axes: Vec<usize> = wanted.iter().map(|letter| place(letter).expect("the same letters")).collect();
        self.permute(operand.value, &axes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::{Bindings, Op, Tensor, Type, evaluate};

    /// Lengths of the letters a to z.
    fn length(letter: char) -> usize {
        2 + (letter as usize - 'a' as usize) % 3
    }

    /// The definition: a sum over every letter.
    fn oracle(notation: &str, operands: &[Tensor]) -> Vec<f64> {
        let (left, right) = notation.split_once("->").unwrap();
        let terms: Vec<Vec<char>> = left.split(',').map(|term| term.chars().collect()).collect();
        let mut letters: Vec<char> = right.chars().collect();
        for letter in terms.concat() {
            if !letters.contains(&letter) {
                letters.push(letter);
            }
        }
        let size = |letters: &[char]| letters.iter().map(|l| length(*l)).product::<usize>();
        let (results, all) = (size(&letters[..right.len()]), size(&letters));
        let mut result = vec![0.0; results];
        for i in 0..all {
            let mut rest = i;
            let mut index = vec![0; letters.len()];
            for (place, letter) in index.iter_mut().zip(&letters).rev() {
                *place = rest % length(*letter);
                rest /= length(*letter);
            }
            let at = |letter: &char| index[letters.iter().position(|l| l == letter).unwrap()];
            let factors = terms.iter().zip(operands).map(|(term, operand)| {
                let index: Vec<usize> = term.iter().map(at).collect();
                operand.at(&index)
            });
            result[i / (all / results)] += factors.product::<f64>();
        }
        result
    }

    #[test]
    fn products_agree_with_the_definition() {
        for (notation, products) in [
            ("ij,jk->ik", 1),
            ("ij,kj->ik", 1),
            ("ji,jk->ki", 1),
            ("bi,oi->bo", 1),
            ("bhqd,bhkd->bhqk", 1),
            ("bqhd,bkhd->bhqk", 1),
            ("bhqk,bkhd->bqhd", 1),
            ("bij,bjk,bkl->bil", 2),
            ("abc,cd,be->ade", 2),
            ("bi,bi->b", 0),
            ("i,i->", 0),
            ("i,j->ij", 0),
            ("bi,bj->bij", 0),
            ("bi,bi->bi", 0),
            ("bi,b->ib", 0),
            ("ijk,jl->l", 1),
            ("ij->ji", 0),
            ("ijk->k", 0),
            ("ij->", 0),
            ("ab,cd->dbca", 0),
            ("abcd,efcd->eafb", 1),
        ] {
            let left = notation.split_once("->").unwrap().0;
            let shapes: Vec<Vec<usize>> =
                left.split(',').map(|term| term.chars().map(length).collect()).collect();
            let mut g = Graph::new();
            let values: Vec<ValueId> = shapes
                .iter()
                .enumerate()
                .map(|(i, shape)| g.input(&format!("x{i}"), Type::f32(shape.clone())))
                .collect();
            let y = g.einsum(notation, &values).unwrap();
            let count = g.nodes().iter().filter(|n| matches!(n.op, Op::MatMul(_))).count();
            assert_eq!(count, products, "{notation}");
            let inputs: Vec<Tensor> = shapes
                .iter()
                .map(|shape| {
                    let len: usize = shape.iter().product();
                    let data = (0..len).map(|i| ((i * 7 + shape.len()) % 11) as f64 - 4.0).collect();
                    Tensor::new(shape.clone(), data)
                })
                .collect();
            let expected = oracle(notation, &inputs);
            let values = evaluate(&g, &Bindings { inputs, ..Bindings::default() });
            assert_eq!(values[y.index()].data, expected, "{notation}");
        }
    }

    #[test]
    fn operands_that_lie_right_are_not_moved() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3, 4]));
        let y = g.input("y", Type::f32([2, 5, 4]));
        g.einsum("bqd,bkd->bqk", &[x, y]).unwrap();
        g.einsum("bqd,bqe->bde", &[x, x]).unwrap();
        assert!(!g.nodes().iter().any(|n| matches!(n.op, Op::Permute(_))));
    }

    #[test]
    fn gradients() {
        check(&[&[2, 3], &[3, 4]], |g, x| g.einsum("ij,jk->ki", x));
        check(&[&[2, 3, 2], &[2, 4, 2], &[4, 3]], |g, x| g.einsum("bqd,bkd,kq->bq", x));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3]));
        for (notation, operands, expected) in [
            ("ij,jk", vec![x, x], "wants the result's letters"),
            ("ij,jk->ik", vec![x], "names 2 operands, and gets 1"),
            ("ij,jk->ik", vec![x, x], "`j` is 3 long, and then 2"),
            ("ijk->k", vec![x], "`ijk` is given 2 axes, [2, 3]"),
            ("ii->i", vec![x], "`i` stands twice"),
            ("ij->jj", vec![x], "`j` stands twice"),
            ("ij->k", vec![x], "no operand has the `k`"),
            ("i.->i", vec![x], "`.` is no letter"),
            ("->", vec![], "names 1 operands, and gets 0"),
        ] {
            let problem = g.einsum(notation, &operands).unwrap_err().to_string();
            assert!(problem.contains(expected), "{notation}: {problem}");
        }
    }
}
