//! What a trainer carries from step to step, as a checkpoint holds it.

use bessemer_train::State;

use super::Trainer;
use crate::network::Network;

/// The largest bias, either way, as the adapter keeps them.
const MAX_BIAS: u32 = 1 << 30;

impl Trainer {
    /// Adds everything that changes with training. Between two steps, lanes hold nothing, and no slopes wait.
    pub fn put(&mut self, state: &mut State) {
        put_network(state, "now", &self.network);
        let (floats, taken) = self.memory();
        for (name, values) in floats {
            state.put(name, values);
        }
        state.put("taken", &taken.map(|taken| *taken));
    }

    /// Takes over what [`Trainer::put`] added to a state.
    pub fn take(&mut self, state: &mut State) -> Result<(), String> {
        take_network(state, "now", &mut self.network)?;
        let (floats, taken) = self.memory();
        for (name, values) in floats {
            *values = state.take(name, values.len())?;
        }
        for (own, saved) in taken.into_iter().zip(state.take::<u64>("taken", 3)?) {
            // It is counted on from there.
            if saved > 1 << 48 {
                return Err(format!("{saved} steps that were taken make no sense"));
            }
            *own = saved;
        }
        Ok(())
    }

    /// The most bytes of a state, but for what is told of epochs.
    pub fn bytes_max(&mut self) -> u64 {
        let Network { phase, adapter, codes, .. } = &self.network;
        // Of this network and of the best.
        let of_networks =
            2 * (4 * phase.len() + adapter.weights.len() + 4 * adapter.bias.len() + 4 * codes.phase.len());
        let floats: usize = self.memory().0.iter().map(|(_, values)| 4 * values.len()).sum();
        (of_networks + floats) as u64
    }

    /// All floats by name, and how many steps of each kind were taken.
    fn memory(&mut self) -> (Vec<(&'static str, &mut Vec<f32>)>, [&mut u64; 3]) {
        let (nodes, of_nodes) = self.nodes.memory();
        let (codes, of_codes) = self.codes.memory();
        let (adapter, of_adapter) = self.shadow.memory();
        let names = [
            ["nodes.gathered", "nodes.first", "nodes.second"],
            ["codes.gathered", "codes.first", "codes.second"],
            ["weights.values", "weights.first", "weights.second"],
            ["bias.values", "bias.first", "bias.second"],
        ];
        let [weights, bias] = adapter;
        let floats = names.into_iter().flatten().zip([nodes, codes, weights, bias].into_iter().flatten());
        (floats.collect(), [of_nodes, of_codes, of_adapter])
    }
}

/// Adds the integers of a network that change with training.
pub(crate) fn put_network(state: &mut State, name: &str, network: &Network) {
    let Network { phase, magnitude, adapter, codes, .. } = network;
    state.put(&format!("{name}.phase"), phase);
    state.put(&format!("{name}.magnitude"), magnitude);
    state.put(&format!("{name}.weights"), &adapter.weights);
    state.put(&format!("{name}.bias"), &adapter.bias);
    state.put(&format!("{name}.code.phase"), &codes.phase);
    state.put(&format!("{name}.code.magnitude"), &codes.magnitude);
}

/// Takes over what [`put_network`] added.
pub(crate) fn take_network(state: &mut State, name: &str, network: &mut Network) -> Result<(), String> {
    let Network { settings, phase, magnitude, adapter, codes, tables, fixed, .. } = network;
    let (phases, magnitudes) = (settings.phases, settings.magnitudes);
    for (kind, indices, circle) in [
        ("phase", phase.write(), phases),
        ("magnitude", magnitude, magnitudes),
        ("code.phase", &mut codes.phase, phases),
        ("code.magnitude", &mut codes.magnitude, magnitudes),
    ] {
        let read: Vec<i16> = state.take(&format!("{name}.{kind}"), indices.len())?;
        if let Some(index) = read.iter().find(|index| !(0..circle as i32).contains(&i32::from(**index))) {
            return Err(format!("index {index} of `{name}.{kind}` is not on a circle of {circle} steps"));
        }
        *indices = read;
    }
    adapter.weights = state.take(&format!("{name}.weights"), adapter.weights.len())?;
    let bias: Vec<i32> = state.take(&format!("{name}.bias"), adapter.bias.len())?;
    if let Some(bias) = bias.iter().find(|bias| bias.unsigned_abs() > MAX_BIAS) {
        return Err(format!("{bias} of `{name}.bias` is beyond 30 bits"));
    }
    adapter.bias = bias;
    *fixed = codes.fixed(tables);
    Ok(())
}
