//! `GROUP_CONCAT`: the texts of a group in one.

use arrow_array::ArrayRef;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, MAX_NCHAR, MAX_VARCHAR, Precision, Result};

use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::convert::{TextBuilder, TextColumn};
use crate::datum::bytes_of;
use crate::functions::{invalid_number, invalid_type};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("group_concat", Kind::Value, "Texts joined with a separator.", bind, create)];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument, separator] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.argument(binder, argument)?;
    let data_type = match argument.data_type() {
        DataType::Varchar(_) => DataType::Varchar(MAX_VARCHAR),
        DataType::NChar(_) => DataType::NChar(MAX_NCHAR),
        _ => return Err(invalid_type(function.name)),
    };
    let separator = function.constant(binder, separator)?;
    if bytes_of(&separator).is_none() {
        return Err(invalid_type(function.name));
    }
    Ok(BoundAggregate { constants: vec![separator], ..function.bound(argument, data_type) })
}

fn create(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let separator = bound.constants.first().and_then(bytes_of).unwrap_or_default().to_vec();
    Ok(Box::new(Join { data_type: bound.data_type, separator, texts: Vec::new(), held: 0 }))
}

struct Join {
    data_type: DataType,
    separator: Vec<u8>,
    texts: Vec<Option<Vec<u8>>>,
    held: usize,
}

impl Join {
    fn append(&mut self, group: usize, text: &[u8]) {
        self.held += 2 * (text.len() + self.separator.len());
        match &mut self.texts[group] {
            Some(known) => {
                known.extend_from_slice(&self.separator);
                known.extend_from_slice(text);
            }
            empty => *empty = Some(text.to_vec()),
        }
    }
}

impl Aggregate for Join {
    fn resize(&mut self, groups: usize) {
        self.texts.resize(groups.max(self.texts.len()), None);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let column = TextColumn::new(&input.arguments[0])?;
        for run in runs {
            (run.start as usize..run.end as usize).filter_map(|row| column.get(row)).for_each(|text| self.append(run.group as usize, text));
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (text, &group) in same_state::<Self>(other)?.texts.drain(..).zip(groups) {
            if let Some(text) = text {
                self.append(group as usize, &text);
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let mut builder = TextBuilder::new(self.data_type)?;
        for text in self.texts.drain(..) {
            builder.append(text.as_deref())?;
        }
        Ok(builder.finish())
    }
}
