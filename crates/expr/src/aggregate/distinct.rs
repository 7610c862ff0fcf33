//! HYPERLOGLOG and MODE: how many different values, and which is most frequent.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::{FxHashMap, FxHashSet};

use super::cells::{Key, hash, keys};
use super::companions::{cells_of, columns_of};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::datum::{array_of_values, value_at};
use crate::murmur::{MURMUR_SEED, murmur3};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("hyperloglog", Kind::Value, "Estimate of how many different values there are.", bind_estimate, create_estimate).counting(),
    Function::new("mode", Kind::Selector, "The most frequent value; of equals the one that TDengine's table of values holds last.", bind_mode, create_mode),
];

fn bind_estimate(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_argument(binder, arguments)?;
    Ok(function.bound(argument, DataType::BigInt))
}

fn bind_mode(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_argument(binder, arguments)?;
    if argument.constant().is_some() {
        return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, format!("The parameters of {} must contain columns", function.name.to_ascii_uppercase())));
    }
    let data_type = argument.data_type();
    Ok(function.bound(argument, data_type))
}

fn create_estimate(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Estimate { data_type: bound.arguments[0].data_type(), sketches: Vec::new(), held: 0 }))
}

fn create_mode(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Mode { data_type: bound.data_type, precision: bound.precision, types: companions.to_vec(), states: Vec::new(), held: 0, chosen: Vec::new() }))
}

const REGISTER_BITS: u32 = 14;
const REGISTERS: usize = 1 << REGISTER_BITS;
/// Hashes kept one by one before registers take over.
const MOST_HASHES: usize = 1_024;

/// `HyperLogLog` (Flajolet and others 2007); exact while few hashes are known.
enum Sketch {
    Hashes(FxHashSet<u64>),
    Registers(Box<[u8]>),
}

impl Sketch {
    fn add(&mut self, hash: u64) {
        match self {
            Self::Hashes(hashes) => {
                hashes.insert(hash);
                if hashes.len() > MOST_HASHES {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    for &hash in hashes.iter() {
                        raise(&mut registers, hash);
                    }
                    *self = Self::Registers(registers);
                }
            }
            Self::Registers(registers) => raise(registers, hash),
        }
    }

    fn merge(&mut self, other: Self) {
        match other {
            Self::Hashes(hashes) => hashes.into_iter().for_each(|hash| self.add(hash)),
            Self::Registers(mut registers) => {
                match self {
                    Self::Hashes(hashes) => hashes.iter().for_each(|&hash| raise(&mut registers, hash)),
                    Self::Registers(known) => registers.iter_mut().zip(known.iter()).for_each(|(register, &known)| *register = known.max(*register)),
                }
                *self = Self::Registers(registers);
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Hashes(hashes) => hashes.len() * 2 * size_of::<u64>(),
            Self::Registers(registers) => registers.len(),
        }
    }

    fn estimate(&self) -> i64 {
        match self {
            Self::Hashes(hashes) => hashes.len() as i64,
            Self::Registers(registers) => {
                let count = REGISTERS as f64;
                let sum: f64 = registers.iter().map(|&register| 0.5_f64.powi(i32::from(register))).sum();
                let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
                let empty = registers.len() - registers.iter().map(|&register| usize::from(register > 0)).sum::<usize>();
                let estimate = if raw <= 2.5 * count && empty > 0 { count * (count / empty as f64).ln() } else { raw };
                estimate.round() as i64
            }
        }
    }
}

fn raise(registers: &mut [u8], hash: u64) {
    let register = &mut registers[(hash >> (64 - REGISTER_BITS)) as usize];
    let rank = ((hash << REGISTER_BITS) | 1 << (REGISTER_BITS - 1)).leading_zeros() as u8 + 1;
    *register = rank.max(*register);
}

struct Estimate {
    data_type: DataType,
    sketches: Vec<Sketch>,
    held: usize,
}

impl Aggregate for Estimate {
    fn resize(&mut self, groups: usize) {
        self.sketches.resize_with(groups.max(self.sketches.len()), || Sketch::Hashes(FxHashSet::default()));
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        for run in runs {
            let sketch = &mut self.sketches[run.group as usize];
            let before = sketch.bytes();
            keys(&input.arguments[0], self.data_type, run.start as usize, run.end as usize, |_, key| {
                if key != Key::Null {
                    sketch.add(hash(&key));
                }
                Ok(())
            })?;
            self.held += sketch.bytes().saturating_sub(before);
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        self.held += other.held;
        for (sketch, &group) in other.sketches.drain(..).zip(groups) {
            self.sketches[group as usize].merge(sketch);
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.sketches.drain(..).map(|sketch| Some(sketch.estimate())).collect::<Int64Array>()))
    }
}

/// Buckets of the table that decides among equally frequent values, as recorded answers show: 64, doubled while it is three quarters full.
fn buckets(values: usize) -> u32 {
    let mut buckets = 64_u32;
    while values > 1 && values - 1 > buckets as usize / 4 * 3 && buckets < 1 << 24 {
        buckets *= 2;
    }
    buckets
}

/// Where a value falls in that table: `MurmurHash3` of its stored bytes, texts with their length in two bytes before them.
fn placement(value: &Value) -> u32 {
    let text = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes(), bytes].concat();
    let bytes = match value {
        Value::Null => Vec::new(),
        Value::Bool(value) => vec![u8::from(*value)],
        Value::TinyInt(value) => value.to_le_bytes().to_vec(),
        Value::SmallInt(value) => value.to_le_bytes().to_vec(),
        Value::Int(value) => value.to_le_bytes().to_vec(),
        Value::BigInt(value) | Value::Timestamp(value) => value.to_le_bytes().to_vec(),
        Value::UTinyInt(value) => value.to_le_bytes().to_vec(),
        Value::USmallInt(value) => value.to_le_bytes().to_vec(),
        Value::UInt(value) => value.to_le_bytes().to_vec(),
        Value::UBigInt(value) => value.to_le_bytes().to_vec(),
        Value::Float(value) => value.to_le_bytes().to_vec(),
        Value::Double(value) => value.to_le_bytes().to_vec(),
        Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => text(bytes),
        Value::NChar(characters) => text(&characters.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect::<Vec<_>>()),
        Value::Json(document) => text(document.as_bytes()),
        Value::Decimal(unscaled, ..) => unscaled.to_le_bytes().to_vec(),
    };
    murmur3(&bytes, MURMUR_SEED)
}

/// A value's count, when it came first, and the companions of its last row.
struct Occurrence {
    count: u64,
    arrival: u64,
    value: Value,
    companions: Vec<Value>,
}

#[derive(Default)]
struct Frequencies {
    rows: u64,
    occurrences: FxHashMap<Key, Occurrence>,
}

struct Mode {
    data_type: DataType,
    precision: Precision,
    types: Vec<(DataType, Precision)>,
    states: Vec<Frequencies>,
    held: usize,
    /// Companions of what [`Aggregate::finish`] chose.
    chosen: Vec<Vec<Value>>,
}

impl Aggregate for Mode {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups.max(self.states.len()), Frequencies::default);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = &input.arguments[0];
        for run in runs {
            let state = &mut self.states[run.group as usize];
            keys(array, self.data_type, run.start as usize, run.end as usize, |row, key| {
                let arrival = state.rows + (row - run.start as usize) as u64;
                if key == Key::Null {
                    return Ok(());
                }
                let bytes = key.entry_bytes();
                let first = || Occurrence { count: 0, arrival, value: value_at(array, self.data_type, row), companions: Vec::new() };
                let occurrence = state.occurrences.entry(key).or_insert_with(first);
                self.held += if occurrence.count == 0 { bytes } else { 0 };
                occurrence.count += 1;
                occurrence.companions = cells_of(input.companions, &self.types, row);
                Ok(())
            })?;
            state.rows += u64::from(run.end - run.start);
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        self.held += other.held;
        for (found, &group) in other.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            for (key, occurrence) in found.occurrences {
                match state.occurrences.get_mut(&key) {
                    Some(known) => {
                        known.count += occurrence.count;
                        known.companions = occurrence.companions;
                    }
                    None => {
                        state.occurrences.insert(key, Occurrence { arrival: occurrence.arrival + state.rows, ..occurrence });
                    }
                }
            }
            state.rows += found.rows;
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let mut values = Vec::with_capacity(self.states.len());
        for state in self.states.drain(..) {
            let buckets = buckets(state.occurrences.len());
            let most = state.occurrences.values().map(|occurrence| occurrence.count).max();
            let rank = |occurrence: &Occurrence| (placement(&occurrence.value) & (buckets - 1), std::cmp::Reverse(occurrence.arrival));
            let best = state.occurrences.into_values().filter(|occurrence| Some(occurrence.count) == most).max_by_key(rank);
            let (value, companions) = best.map_or_else(|| (Value::Null, vec![Value::Null; self.types.len()]), |best| (best.value, best.companions));
            values.push(value);
            self.chosen.push(companions);
        }
        array_of_values(&values, self.data_type, self.precision)
    }

    fn finish_companions(&mut self) -> Result<Vec<ArrayRef>> {
        columns_of(&std::mem::take(&mut self.chosen), &self.types)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_near() {
        for count in [10_u64, 1_000, 5_000, 40_000, 300_000] {
            let mut sketch = Sketch::Hashes(FxHashSet::default());
            (0..count).for_each(|value| sketch.add(hash(&Key::Bits(value))));
            let error = (sketch.estimate() as f64 - count as f64).abs() / count as f64;
            assert!(error < 0.03, "{count}: {error}");
        }
    }
}
