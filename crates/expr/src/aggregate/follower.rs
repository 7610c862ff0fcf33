//! COLS: an expression in the row that a selector picked. Any number of them may stand in a list, each with a selector of its own.

use arrow_array::ArrayRef;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, code};

use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, lookup, same_state};
use crate::Binder;

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new("cols", Kind::Value, "Expressions in the row that a selector picked: `COLS(LAST(ts), v, w AS b)`.", bind, create)];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [selection, output] = arguments else { return Err(Error::new(code::INVALID_USING_COLS_FUNCTION)) };
    let not_a_selector = || Error::new(code::COLS_FUNCTION_S_FIRST_PARAM_MUST);
    let Expr::Function { name, arguments } = selection else { return Err(not_a_selector()) };
    let selector = lookup(name).filter(|selector| selector.kind == Kind::Selector).ok_or_else(not_a_selector)?;
    let selection = super::bind(binder, selector, arguments)?;
    let output = binder.bind(output)?;
    let (data_type, precision) = (output.data_type(), output.precision());
    let mut arguments = selection.arguments.clone();
    arguments.push(output);
    Ok(BoundAggregate { function, arguments, constants: Vec::new(), data_type, precision, selection: Some(Box::new(selection)) })
}

fn create(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let selection = bound.selection.as_ref().ok_or_else(|| Error::internal("COLS without a selection"))?;
    Ok(Box::new(Follower { selection: selection.create(&[(bound.data_type, bound.precision)])? }))
}

/// The selector's state, whose only companion is the expression: the last of the arguments.
struct Follower {
    selection: Box<dyn Aggregate>,
}

impl Aggregate for Follower {
    fn resize(&mut self, groups: usize) {
        self.selection.resize(groups);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let (arguments, companions) = input.arguments.split_at(input.arguments.len() - 1);
        self.selection.update(&AggregateInput { arguments, companions, ..*input }, runs)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        self.selection.merge(other.selection.as_mut(), groups)
    }

    fn held_bytes(&self) -> usize {
        self.selection.held_bytes()
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        // Selectors give their companions together with their values.
        self.selection.finish()?;
        self.selection.finish_companions()?.pop().ok_or_else(|| Error::internal("a selector without companions"))
    }
}
