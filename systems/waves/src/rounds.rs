//! Rounds in which packets are found, kept so that a fit that is stopped goes on after the last one.

use bessemer_train::{Checkpoints, State, TrainError};

use crate::error::{Error, Result};
use crate::greedy::Greedy;
use crate::models::{Packet, Packets, Shape};

/// The largest state that is read, in bytes.
const BYTES_MAX: u64 = 4 << 30;

/// What rounds have come to.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    /// How many are done.
    pub done: u64,
    pub found: Vec<Packet>,
    pub bias: Vec<f32>,
}

impl Rounds {
    /// Writes them in place of those before.
    pub fn write(&self, checkpoints: &Checkpoints, greedy: &Greedy) -> Result<()> {
        // The text is one of lines, of which the last is of the rounds and the others say what is fitted to what.
        let mut state = State::new(&format!("{}\n{} {}", checkpoints.about, self.done, self.found.len()));
        state.put("rows", &self.found.iter().flat_map(|packet| packet.rows.clone()).collect::<Vec<f32>>());
        let amplitudes = self.found.iter().flat_map(|packet| packet.amplitudes.clone());
        state.put("amplitudes", &amplitudes.collect::<Vec<f32>>());
        state.put("bias", &self.bias);
        checkpoints.write_state(self.done * greedy.steps, &state)?;
        Ok(())
    }

    /// Those that were kept; none where the training of all packets had begun, which has checkpoints of its own.
    ///
    /// # Errors
    /// If they are of another fit.
    pub fn read(
        checkpoints: &Checkpoints,
        greedy: &Greedy,
        kind: &Packets,
        shape: Shape,
    ) -> Result<Option<Rounds>> {
        let mut about = None;
        let read = checkpoints.latest_state(BYTES_MAX, &mut |mut state| {
            let text = state.take_text()?;
            let (of, counts) = text.rsplit_once('\n').ok_or("its text is none of rounds")?;
            about = Some(of.to_string());
            let count = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
            let (done, packets) = counts.split_once(' ').ok_or("its text is none of rounds")?;
            let (done, packets) = (count(done)?, count(packets)?);
            if done > greedy.rounds || packets > kind.count {
                return Err(format!("it has {packets} packets after {done} rounds; begin in another folder"));
            }
            let width = kind.row_len(shape);
            let rows = state.take::<f32>("rows", packets * width)?;
            let amplitudes = state.take::<f32>("amplitudes", packets * shape.channels)?;
            let bias = state.take::<f32>("bias", shape.channels)?;
            let of_packets = rows.chunks_exact(width).zip(amplitudes.chunks_exact(shape.channels));
            let found = of_packets
                .map(|(rows, amplitudes)| Packet { rows: rows.to_vec(), amplitudes: amplitudes.to_vec() })
                .collect();
            Ok(Rounds { done: done as u64, found, bias })
        });
        // That they are of another fit is said before that they don't suit this one.
        if let Some(about) = about {
            checkpoints.check_about(&about)?;
            return Ok(read?.map(|(rounds, _)| rounds));
        }
        Ok(None)
    }
}

/// A stop in a round leaves the rounds before it.
pub(crate) fn kept(error: Error, checkpoints: Option<&Checkpoints>) -> Error {
    let latest = || checkpoints.and_then(|checkpoints| checkpoints.files().ok()?.into_iter().next());
    match error {
        Error::Train(TrainError::Stopped { step, .. }) => {
            TrainError::Stopped { step, checkpoint: latest() }.into()
        }
        error => error,
    }
}
