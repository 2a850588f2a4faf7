//! What a fit came to, as JSON and in the terminal.

use bessemer::waves::{FoundPacket, Outcome, Score, WaveFitter};
use serde::Serialize;

use crate::number;
use crate::table::plain;

/// Packets that the table shows.
const SHOWN: usize = 10;

/// What `waves fit` and `waves evaluate` write.
#[derive(Serialize)]
pub struct Scored {
    pub signal: String,
    pub model: &'static str,
    pub points: usize,
    pub axes: Vec<String>,
    pub channels: Vec<String>,
    pub parameters: usize,
    pub bytes: u64,
    pub raw_bytes: u64,
    pub compression: f64,
    pub scores: Vec<PartScore>,
    pub notes: Vec<String>,
    pub packets: Vec<FoundPacket>,
}

/// Errors on a part of the points.
#[derive(Serialize)]
pub struct PartScore {
    pub part: String,
    pub points: usize,
    pub mse: f64,
    pub mae: f64,
    pub psnr: Option<f64>,
    /// Of predicting the mean of the training values.
    pub mean_mse: f64,
}

impl PartScore {
    pub fn of(score: &Score) -> PartScore {
        PartScore {
            part: score.part.to_string(),
            points: score.points,
            mse: score.mse,
            mae: score.mae,
            psnr: score.psnr.filter(|psnr| psnr.is_finite()),
            mean_mse: score.mean_mse,
        }
    }
}

impl Scored {
    /// Of a model on the points that an outcome is of.
    pub fn new(
        name: String,
        points: usize,
        fitted: &WaveFitter,
        outcome: &Outcome,
        packets: Vec<FoundPacket>,
    ) -> Scored {
        Scored {
            signal: name,
            model: fitted.model().name(),
            points,
            axes: fitted.axes().map(str::to_string).collect(),
            channels: fitted.channels().map(str::to_string).collect(),
            parameters: outcome.parameters,
            bytes: outcome.bytes,
            raw_bytes: outcome.raw_bytes,
            compression: outcome.compression(),
            scores: outcome.scores.iter().map(PartScore::of).collect(),
            notes: outcome.notes.iter().map(|note| note.to_string()).collect(),
            packets,
        }
    }

    /// Scores, packets, size and notes.
    pub fn render(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.scores(), self.size());
        if !self.packets.is_empty() {
            text += &format!("\n{}\n", self.table());
            if self.packets.len() > SHOWN {
                let all = number::count(self.packets.len());
                text += &format!("The {SHOWN} strongest of {all} packets; --json has all.\n");
            }
        }
        for note in &self.notes {
            text += &format!("\nnote: {note}\n");
        }
        text
    }

    fn scores(&self) -> String {
        let header = vec!["points", "number", "MSE", "of the mean", "ratio", "PSNR, dB"];
        let rows = self.scores.iter().map(|score| {
            let ratio =
                if score.mean_mse > 0.0 { number::digits(score.mse / score.mean_mse) } else { "n/a".into() };
            [
                score.part.clone(),
                number::count(score.points),
                number::digits(score.mse),
                number::digits(score.mean_mse),
                ratio,
                score.psnr.map_or("n/a".into(), |psnr| format!("{psnr:.1}")),
            ]
        });
        plain(header, rows).to_string()
    }

    /// How large the model is beside the signal.
    pub fn size(&self) -> String {
        let times = if self.compression >= 1.0 {
            format!("{:.1} times smaller than", self.compression)
        } else {
            format!("{:.1} times as large as", 1.0 / self.compression)
        };
        format!(
            "{}, {}: {times} the signal's {}",
            number::counted(self.parameters, "parameter"),
            number::bytes(self.bytes.into()),
            number::bytes(self.raw_bytes.into()),
        )
    }

    fn table(&self) -> String {
        let several = self.axes.len() > 1;
        let along = |what: &str| -> Vec<String> {
            let name = |axis: &String| if several { format!("{what} {axis}") } else { what.to_string() };
            self.axes.iter().map(name).collect()
        };
        let mut header: Vec<String> = vec!["packet".into()];
        ["centre", "width", "frequency"].iter().for_each(|what| header.extend(along(what)));
        header.extend(["phase".into(), "energy, %".into()]);
        let rows = self.packets.iter().take(SHOWN).enumerate().map(|(number, packet)| {
            let mut row = vec![(number + 1).to_string()];
            row.extend(packet_numbers(packet));
            row.extend([format!("{:.2}", packet.phase), format!("{:.1}", 100.0 * packet.energy_share)]);
            row
        });
        plain(header.iter().map(String::as_str).collect(), rows).to_string()
    }
}

/// Centres, widths and frequencies along all axes; a centre far from 0 to a hundredth of the width.
pub fn packet_numbers(packet: &FoundPacket) -> Vec<String> {
    let centres = packet.centre.iter().zip(&packet.width).map(|(centre, width)| {
        if centre.abs() < 100.0 * width {
            number::digits(*centre)
        } else {
            number::to(*centre, width / 100.0)
        }
    });
    let others = packet.width.iter().chain(&packet.frequency).map(|x| number::digits(*x));
    centres.chain(others).collect()
}
