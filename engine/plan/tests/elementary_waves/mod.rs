//! Sums of wave packets written out of elementary operations.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::ops::wave_packets::Form;
use bessemer_graph::{Graph, GraphError, ValueId};

type Built = Result<ValueId, GraphError>;

/// y `[n, m]` from points, packets and head.
pub fn waves(g: &mut Graph, form: Form, points: ValueId, packets: ValueId, head: ValueId) -> Built {
    // Numbers of all waves, a row vector for each row of packets; coordinates are columns.
    let rows = form.rows();
    let row = |g: &mut Graph, name: &str| -> Built {
        let at = rows.iter().position(|row| row == name).unwrap_or_else(|| panic!("no row {name}"));
        g.slice(packets, 0, at, 1)
    };
    let axis = |g: &mut Graph, i: usize| g.slice(points, 1, i, 1);
    let sum = |g: &mut Graph, terms: Vec<ValueId>| -> Built {
        let mut terms = terms.into_iter();
        let first = terms.next().expect("a term");
        terms.try_fold(first, |sum, term| g.add(sum, term))
    };
    let psi = match form {
        Form::Faithful { space } => {
            let t = axis(g, space)?;
            let log_sigma = row(g, "log_sigma")?;
            let sigma = g.apply1(Unary::Exp, &[log_sigma])?;
            let (mut phases, mut squares, mut inner) = (Vec::new(), Vec::new(), Vec::new());
            for i in 0..space {
                let x = axis(g, i)?;
                let [k, v, lambda] = ["k", "v", "lambda"].map(|name| row(g, &format!("{name}.{i}")));
                phases.push(g.mul(x, k?)?);
                inner.push(g.mul(x, lambda?)?);
                let moved = g.mul(t, v?)?;
                let distance = g.sub(x, moved)?;
                let distance = g.div(distance, sigma)?;
                squares.push(g.apply1(Unary::Square, &[distance])?);
            }
            let omega = row(g, "omega")?;
            let turned = g.mul(t, omega)?;
            let theta = sum(g, phases)?;
            let theta = g.sub(theta, turned)?;
            let carrier = g.apply1(Unary::Cos, &[theta])?;
            let squares = sum(g, squares)?;
            let squares = g.scale(squares, -0.5)?;
            let envelope = g.apply1(Unary::Exp, &[squares])?;
            let inner = sum(g, inner)?;
            let inner = g.apply1(Unary::Cos, &[inner])?;
            let (phi, epsilon, amplitude) = (row(g, "phi")?, row(g, "epsilon")?, row(g, "A")?);
            let inner = g.mul(inner, epsilon)?;
            let inner = g.add(inner, phi)?;
            let modulation = g.apply1(Unary::Sin, &[inner])?;
            let psi = g.mul(carrier, envelope)?;
            let psi = g.mul(psi, modulation)?;
            g.mul(psi, amplitude)?
        }
        Form::Packet { axes, chirp, moving } => {
            let mut u = Vec::new();
            for i in 0..axes {
                let (x, centre) = (axis(g, i)?, row(g, &format!("centre.{i}"))?);
                u.push(g.sub(x, centre)?);
            }
            for i in 0..if moving { axes - 1 } else { 0 } {
                let v = row(g, &format!("v.{i}"))?;
                let way = g.mul(u[axes - 1], v)?;
                u[i] = g.sub(u[i], way)?;
            }
            let (mut phases, mut squares) = (vec![row(g, "phase")?], Vec::new());
            for (i, u) in u.iter().enumerate() {
                let k = row(g, &format!("k.{i}"))?;
                phases.push(g.mul(*u, k)?);
                let square = g.apply1(Unary::Square, &[*u])?;
                if chirp {
                    let beta = row(g, &format!("beta.{i}"))?;
                    phases.push(g.mul(square, beta)?);
                }
                let log_width = row(g, &format!("log_width.{i}"))?;
                let width = g.apply1(Unary::Exp, &[log_width])?;
                let relative = g.div(*u, width)?;
                squares.push(g.apply1(Unary::Square, &[relative])?);
            }
            let phase = sum(g, phases)?;
            let carrier = g.apply1(Unary::Cos, &[phase])?;
            let squares = sum(g, squares)?;
            let squares = g.scale(squares, -0.5)?;
            let envelope = g.apply1(Unary::Exp, &[squares])?;
            g.mul(carrier, envelope)?
        }
    };
    g.linear(psi, head, None)
}
