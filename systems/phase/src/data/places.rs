//! Which columns of a file are the features, and which one is the label.

use std::collections::HashMap;

use bessemer_tables::shorten;

use super::{Columns, MAX_NAME, ReadOptions};
use crate::settings::MAX_FEATURES;

/// The places of the columns that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// `None` where no labels are read.
    pub label: Option<usize>,
    pub features: Vec<usize>,
}

impl Places {
    /// In a file with these columns, `is_named` where it has names for them: those that `options` ask for or, where
    /// they are silent, those of `known` data.
    pub fn find(
        names: &[String],
        is_named: bool,
        options: &ReadOptions,
        known: Option<&Columns>,
    ) -> Result<Places, String> {
        let places = match known {
            Some(known) if known.named && is_named => Places::by_name(names, options, known)?,
            Some(known) if !known.named && options.label.is_none() && options.features.is_empty() => {
                let numbered = Places::by_number(names.len(), options, known);
                numbered.map_or_else(|| Places::chosen(names, options), Ok)?
            }
            _ => Places::chosen(names, options)?,
        };
        places.check(names)?;
        Ok(places)
    }

    fn chosen(names: &[String], options: &ReadOptions) -> Result<Places, String> {
        let label = match (&options.label, options.labelled) {
            (Some(label), _) => Some(place(names, label)?),
            (None, true) => {
                Some(names.len().checked_sub(1).ok_or("there are no columns; give a file with samples")?)
            }
            (None, false) => None,
        };
        let features = match options.features.is_empty() {
            true => (0..names.len()).filter(|place| Some(*place) != label).collect(),
            false => options.features.iter().map(|name| place(names, name)).collect::<Result<_, _>>()?,
        };
        Ok(Places { label: label.filter(|_| options.labelled), features })
    }

    fn by_name(names: &[String], options: &ReadOptions, known: &Columns) -> Result<Places, String> {
        let mut places: HashMap<&str, Option<usize>> = HashMap::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            // A name that two columns have stands for none.
            places.entry(name).and_modify(|place| *place = None).or_insert(Some(place));
        }
        let find = |what: &str, name: &str, remedy: &str| match places.get(name) {
            Some(Some(place)) => Ok(*place),
            Some(None) => Err(format!("two columns are named `{}`; rename one", shorten(name))),
            None => Err(format!("no {what} `{}`; there are {}{remedy}", shorten(name), listed(names))),
        };
        let label = match (&options.label, &known.label) {
            _ if !options.labelled => None,
            (Some(label), _) => Some(place(names, label)?),
            (None, Some(label)) => {
                Some(find("label column", label, "; name the column of the classes, if there is one")?)
            }
            (None, None) => names.len().checked_sub(1),
        };
        let remedy = "; give data with all columns that were learned from";
        let features: Vec<usize> = known
            .features
            .iter()
            .map(|feature| find("feature", feature, remedy))
            .collect::<Result<_, _>>()?;
        if !options.features.is_empty() {
            let mut is_chosen = vec![false; names.len()];
            for name in &options.features {
                is_chosen[place(names, name)?] = true;
            }
            if let Some(left_out) = features.iter().find(|place| !is_chosen[**place]) {
                let name = shorten(&names[*left_out]);
                return Err(format!(
                    "feature `{name}` was learned from; it must be among those that are chosen"
                ));
            }
        }
        Ok(Places { label, features })
    }

    /// By the numbers that stand for the columns of data without names, if they fit a file of `count` columns.
    fn by_number(count: usize, options: &ReadOptions, known: &Columns) -> Option<Places> {
        if !options.labelled && count == known.features.len() {
            return Some(Places { label: None, features: (0..count).collect() });
        }
        let place = |name: &String| name.parse::<usize>().ok()?.checked_sub(1);
        let label = place(known.label.as_ref()?)?;
        let features: Vec<usize> = known.features.iter().map(place).collect::<Option<_>>()?;
        let last = features.iter().copied().max()?.max(label);
        // Where all columns were read, one more is a sign of other data.
        let were_all = last == features.len();
        let fits = if were_all { count == last + 1 } else { count > last };
        fits.then_some(Places { label: options.labelled.then_some(label), features })
    }

    fn check(&self, names: &[String]) -> Result<(), String> {
        let Places { label, features } = self;
        if let Some(label) = label.filter(|label| features.contains(label)) {
            let name = shorten(&names[label]);
            return Err(format!("column `{name}` is the label and cannot be a feature, too; leave it out"));
        }
        let count = names.len();
        if !(1..=MAX_FEATURES).contains(&features.len()) {
            let columns = if count == 1 { "1 column" } else { &format!("{count} columns") };
            let label = if label.is_some() { "a label and " } else { "" };
            return Err(format!(
                "{columns}, of which {} are features; there must be {label}1 to {MAX_FEATURES} features",
                features.len()
            ));
        }
        let mut known: HashMap<&str, usize> = HashMap::with_capacity(features.len());
        for place in features.iter().chain(label) {
            let name = &names[*place];
            if name.len() > MAX_NAME {
                let (bytes, name) = (name.len(), shorten(name));
                return Err(format!(
                    "the name of column `{name}` has {bytes} bytes; shorten it to {MAX_NAME}"
                ));
            }
        }
        for feature in features {
            let name = &names[*feature];
            match known.insert(name, *feature) {
                Some(other) if other == *feature => {
                    return Err(format!("the feature `{}` is named twice; name it once", shorten(name)));
                }
                Some(_) => return Err(format!("two columns are named `{}`; rename one", shorten(name))),
                None => {}
            }
        }
        Ok(())
    }
}

/// The place of a column that is given by its name or its number.
fn place(names: &[String], name: &str) -> Result<usize, String> {
    let found = names.iter().position(|other| other == name);
    let numbered = || name.parse::<usize>().ok().filter(|n| (1..=names.len()).contains(n)).map(|n| n - 1);
    let place = found
        .or_else(numbered)
        .ok_or_else(|| format!("no column `{}`; there are {}", shorten(name), listed(names)))?;
    if found.is_some() && names[place + 1..].iter().any(|other| other == name) {
        return Err(format!(
            "two columns are named `{}`; rename one, or name it by its number",
            shorten(name)
        ));
    }
    Ok(place)
}

/// Names in a message, of which a file may have any number.
pub(super) fn listed(names: &[String]) -> String {
    let known: Vec<String> = names.iter().take(12).map(|name| shorten(name)).collect();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", known.join(", "))
}
