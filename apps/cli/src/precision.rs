//! Names of arithmetic.

use bessemer::plan::Precision;
use clap::ValueEnum;
use serde::Serialize;

/// In what numbers products with weights are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionName {
    /// 32-bit floats
    #[default]
    F32,
    /// Factors rounded to bf16, sums in 32 bits; products run at up to six times the rate, by the processor (see
    /// `bessemer machine`)
    Bf16,
    /// Factors rounded to f16, sums in 32 bits; training scales its gradients, so that small ones are kept
    F16,
    /// Factors rounded to 8-bit integers; for inference only
    Int8,
}

/// Those that training takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainingPrecision {
    /// 32-bit floats
    F32,
    /// Factors rounded to bf16, sums in 32 bits; products run at up to six times the rate, by the processor (see
    /// `bessemer machine`)
    Bf16,
    /// Factors rounded to f16, sums in 32 bits; gradients are scaled, so that small ones are kept
    F16,
}

impl TrainingPrecision {
    /// The name among all.
    pub fn name(self) -> PrecisionName {
        match self {
            TrainingPrecision::F32 => PrecisionName::F32,
            TrainingPrecision::Bf16 => PrecisionName::Bf16,
            TrainingPrecision::F16 => PrecisionName::F16,
        }
    }
}

impl PrecisionName {
    /// The planner's own.
    pub fn get(self) -> Precision {
        match self {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::Bf16 => Precision::Bf16,
            PrecisionName::F16 => Precision::F16,
            PrecisionName::Int8 => Precision::Int8,
        }
    }
}

impl From<Precision> for PrecisionName {
    fn from(precision: Precision) -> PrecisionName {
        match precision {
            Precision::F32 => PrecisionName::F32,
            Precision::Bf16 => PrecisionName::Bf16,
            Precision::F16 => PrecisionName::F16,
            Precision::Int8 => PrecisionName::Int8,
        }
    }
}

impl std::fmt::Display for PrecisionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PrecisionName::F32 => "f32",
            PrecisionName::Bf16 => "bf16",
            PrecisionName::F16 => "f16",
            PrecisionName::Int8 => "int8",
        })
    }
}
