//! What can go wrong, each with the place, the value and the remedy.

/// A result whose error is this crate's [`StudyError`].
pub type Result<T, E = StudyError> = std::result::Result<T, E>;

/// Everything this crate refuses.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the message of each variant says what its fields are
pub enum StudyError {
    #[error("{what} is {value}; it must be at least {minimum}")]
    TooSmall { what: &'static str, value: usize, minimum: usize },

    #[error("{samples} samples don't fill {folds} folds; take fewer folds, or give more samples")]
    TooFewSamples { samples: usize, folds: usize },

    #[error(
        "class {class}: {samples} samples, but {folds} folds need one each; take fewer folds, give more samples \
         of it, or leave it out"
    )]
    TooFewOfClass { class: usize, samples: usize, folds: usize },

    #[error(
        "{rows} rows, but {folds} folds of {test} test rows, {step} apart, after a gap of {gap} and {train} \
         training rows or more need at least {minimum}; take fewer folds, or shorten them"
    )]
    TooFewRows {
        rows: usize,
        folds: usize,
        test: usize,
        step: usize,
        gap: usize,
        train: usize,
        minimum: usize,
    },

    #[error(
        "`{text}`: {problem}; write choices such as 16,32,64, or a range such as 16..512 or log:1e-4..1e-2"
    )]
    Dimension { text: String, problem: &'static str },

    #[error("`{name}` is varied twice; name it once, with all its values")]
    VariedTwice { name: String },

    #[error("there is nothing to vary; name a setting with its values")]
    EmptySpace,

    #[error(
        "{what} {limit} is the most there may be; vary fewer settings, give fewer values, or draw at random"
    )]
    TooManyTrials { what: String, limit: usize },

    #[error("an ensemble has no members; give it one or more")]
    NoMembers,

    #[error(
        "member {member} has {found} values where {expected} were expected; forecast the same rows with each"
    )]
    Lengths { member: usize, found: usize, expected: usize },

    #[error("{found} weights for {members} members; give one for each")]
    WeightCount { found: usize, members: usize },

    #[error("none of the {values} values is observed, so that weights can't be fitted; give other rows")]
    NothingObserved { values: usize },

    #[error(
        "member {member}: value {place} is {value}, so that weights can't be fitted; leave the member out"
    )]
    NotFinite { member: usize, place: usize, value: f32 },
}
