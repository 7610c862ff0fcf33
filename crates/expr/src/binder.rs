//! Syntax to bound expressions: names through the scope, types by TDengine's rules, constants folded.

use std::sync::Arc;

use embudo_sql::ast::expr::{BinaryOp, Expr, Literal, PseudoColumn};
use embudo_types::{DataType, Duration, Error, MAX_NCHAR, MAX_VARCHAR, Precision, Result, Value, code, parse_timestamp};

use crate::arithmetic::{self, BitArithmetic, CalendarShift, DoubleArithmetic, NegateDouble, TickArithmetic};
use crate::bound::{Call, Kernel, Node};
use crate::compare::{self, Compare, CompareJson, IsNull, JsonOperand};
use crate::convert::{BadTime, cannot_convert};
use crate::convert_kernel::Convert;
use crate::decimal::{self, DecimalKernel};
use crate::json_kernel::{JsonContains, JsonGet};
use crate::logic::{Case, Connective, InList, Not};
use crate::pattern::{Like, Matches, Pattern};
use crate::{BindContext, BoundExpr, Scope, aggregate, functions, series};

/// Turns `ast::Expr` into [`BoundExpr`].
pub struct Binder<'a> {
    context: &'a BindContext,
    scope: &'a dyn Scope,
}

impl<'a> Binder<'a> {
    /// A binder of one statement's expressions over `scope`.
    pub fn new(context: &'a BindContext, scope: &'a dyn Scope) -> Self {
        Self { context, scope }
    }

    /// The statement's facts.
    pub fn context(&self) -> &'a BindContext {
        self.context
    }

    /// Binds a value expression or a condition.
    pub fn bind(&self, expr: &Expr) -> Result<BoundExpr> {
        if let Some(input) = self.scope.resolve(expr)? {
            return Ok(BoundExpr::input(input));
        }
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Column { name, .. } => Err(invalid_column(name)),
            Expr::Pseudo { column, text, .. } => Err(unresolved_pseudo(*column, text)),
            Expr::Star { .. } => Err(Error::with(code::SYNTAX_ERROR_NEAR, "syntax error near \"*\"")),
            Expr::Parameter(index) => self.parameter(*index),
            Expr::Negate(operand) => self.negate(operand),
            Expr::Not(operand) => self.not(operand),
            Expr::Binary { op, left, right } => self.binary(*op, left, right),
            Expr::JsonGet { json, key } => {
                let json = self.json_operand(json)?;
                self.call(JsonGet(key.clone()), vec![json], DataType::Json)
            }
            Expr::Contains { json, key } => {
                let json = self.json_operand(json)?;
                self.call(JsonContains(key.clone()), vec![json], DataType::Bool)
            }
            Expr::Like { expr, pattern, negated } => self.matches(expr, pattern, *negated, |pattern| Ok(Pattern::Like(Like::new(pattern)))),
            Expr::Match { expr, pattern, negated } => self.matches(expr, pattern, *negated, Pattern::regex),
            Expr::Between { expr, low, high, negated } => {
                let (lower, upper) = if *negated { (BinaryOp::Less, BinaryOp::Greater) } else { (BinaryOp::GreaterEqual, BinaryOp::LessEqual) };
                let (operand, low, high) = (self.comparable(expr)?, self.comparable(low)?, self.comparable(high)?);
                operand.shared(|operand| {
                    let above = self.compare(lower, operand.clone(), low)?;
                    let below = self.compare(upper, operand, high)?;
                    self.call(Connective { or: *negated }, vec![above, below], DataType::Bool)
                })
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::IsNull { expr, negated } => {
                let operand = self.bind(expr)?;
                self.call(IsNull { negated: *negated }, vec![operand], DataType::Bool)
            }
            Expr::Case { operand, branches, otherwise } => self.case(operand.as_deref(), branches, otherwise.as_deref()),
            Expr::Cast { expr, data_type, length_given } => self.cast(expr, *data_type, *length_given),
            Expr::Function { name, arguments } => self.function(name, arguments),
        }
    }

    /// Binds what filters rows (WHERE, HAVING, ON): the result is BOOL; any other type counts as true where it is not zero.
    pub fn bind_condition(&self, expr: &Expr) -> Result<BoundExpr> {
        let bound = self.bind(expr)?;
        self.condition(bound)
    }

    /// `expr` converted as CAST does, for UNION, FILL values and INSERT … SELECT.
    pub fn convert(&self, expr: BoundExpr, data_type: DataType, precision: Precision) -> Result<BoundExpr> {
        self.converted(expr, data_type, precision, BadTime::Epoch)
    }

    fn literal(&self, literal: &Literal) -> Result<BoundExpr> {
        let precision = self.context.precision;
        let value = match literal {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Integer(value) => Value::BigInt(*value),
            Literal::Unsigned(value) => Value::UBigInt(*value),
            Literal::Double(value) => Value::Double(*value),
            Literal::String(text) => Value::Varchar(text.clone().into_bytes()),
            Literal::Timestamp(text) => Value::Timestamp(self.timestamp_literal(text)?),
            Literal::Duration(duration) => Value::BigInt(self.ticks(*duration)),
        };
        Ok(BoundExpr::literal(value, precision))
    }

    /// Ticks of a duration where only a number can stand; of calendar units their count.
    fn ticks(&self, duration: Duration) -> i64 {
        duration.ticks(self.context.precision).unwrap_or(duration.value)
    }

    /// `TIMESTAMP 'text'`: a zone suffix is read over, as TDengine does.
    fn timestamp_literal(&self, text: &str) -> Result<i64> {
        let suffix = text.get(10..).and_then(|rest| rest.find(['Z', 'z', '+', '-'])).map_or(text.len(), |at| at + 10);
        parse_timestamp(&text.as_bytes()[..suffix], self.context.precision, &self.context.zone)
            .ok_or_else(|| Error::with(code::INCORRECT_TIMESTAMP_VALUE, format!("Incorrect TIMESTAMP value: {text}")))
    }

    fn parameter(&self, index: usize) -> Result<BoundExpr> {
        let value = self.context.parameters.get(index).cloned();
        let value = value.ok_or_else(|| Error::with(code::INVALID_PARAMETERS, format!("no value for parameter {}", index + 1)))?;
        Ok(BoundExpr::literal(value, self.context.precision))
    }

    fn negate(&self, operand: &Expr) -> Result<BoundExpr> {
        let bound = self.bind(operand)?;
        if let (Some(value), Expr::Literal(_) | Expr::Negate(_) | Expr::Parameter(_)) = (bound.constant(), operand) {
            let negated = match value {
                Value::Null => Some(Value::Null),
                Value::Bool(_) => Some(Value::Bool(false)),
                Value::BigInt(value) => Some(Value::BigInt(value.wrapping_neg())),
                Value::UBigInt(value) if value <= 1 << 63 => Some(Value::BigInt((value as i64).wrapping_neg())),
                Value::UBigInt(value) => Some(Value::Double(-(value as f64))),
                Value::Double(value) => Some(Value::Double(0.0 - value)),
                _ => None,
            };
            if let Some(value) = negated {
                return Ok(BoundExpr::literal(value, bound.precision));
            }
        }
        arithmetic::result_type(BinaryOp::Subtract, DataType::BigInt, if bound.data_type == DataType::Timestamp { DataType::BigInt } else { bound.data_type })?;
        if let DataType::Decimal(digits, scale) = bound.data_type {
            let kernel = DecimalKernel { shape: (digits, scale), function: |cells: &[i128]| Ok(Some(-cells[0])) };
            return self.call(kernel, vec![bound], DataType::Decimal(digits, scale));
        }
        let operand = self.to_type(bound, DataType::Double)?;
        self.call(NegateDouble, vec![operand], DataType::Double)
    }

    fn not(&self, operand: &Expr) -> Result<BoundExpr> {
        let operand = self.bind_condition(operand)?;
        self.call(Not, vec![operand], DataType::Bool)
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<BoundExpr> {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let operands = vec![self.bind_condition(left)?, self.bind_condition(right)?];
                self.call(Connective { or: op == BinaryOp::Or }, operands, DataType::Bool)
            }
            BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                self.comparison(op, left, right)
            }
            _ => self.arithmetic(op, left, right),
        }
    }

    /// These operators do not regroup, so a chain of them is as deep as it is long: a loop binds its links.
    fn arithmetic(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<BoundExpr> {
        let mut links = vec![(op, right)];
        let mut first = left;
        while let Expr::Binary { op, left, right } = first
            && is_arithmetic(*op)
            && self.scope.resolve(first)?.is_none()
        {
            links.push((*op, right));
            first = left;
        }
        let mut value = self.operand(first)?;
        while let Some((op, right)) = links.pop() {
            value = Operand::Value(self.computed(op, value, self.operand(right)?)?);
        }
        Ok(value.into_bound(self.context.precision))
    }

    fn operand(&self, expr: &Expr) -> Result<Operand> {
        match expr {
            Expr::Literal(Literal::Duration(duration)) => Ok(Operand::Duration(*duration)),
            _ => self.bind(expr).map(Operand::Value),
        }
    }

    fn computed(&self, op: BinaryOp, left: Operand, right: Operand) -> Result<BoundExpr> {
        let (left, right) = match (op, left, right) {
            (BinaryOp::Add, Operand::Value(time), Operand::Duration(duration)) if is_shift(&time, duration) => return self.calendar_shift(time, duration, 1),
            (BinaryOp::Subtract, Operand::Value(time), Operand::Duration(duration)) if is_shift(&time, duration) => {
                return self.calendar_shift(time, duration, -1);
            }
            (BinaryOp::Add, Operand::Duration(duration), Operand::Value(time)) if is_shift(&time, duration) => return self.calendar_shift(time, duration, 1),
            (_, left, right) => (left, right),
        };
        let precision_beside = |other: &Operand| match other {
            Operand::Value(other) if other.data_type == DataType::Timestamp => other.precision,
            _ => self.context.precision,
        };
        let (of_left, of_right) = (precision_beside(&right), precision_beside(&left));
        let (left, right) = (left.into_bound(of_left), right.into_bound(of_right));
        let data_type = arithmetic::result_type(op, left.data_type, right.data_type)?;
        match data_type {
            DataType::Timestamp => {
                let precision = if left.data_type == DataType::Timestamp { left.precision } else { right.precision };
                let operands = vec![self.to_type(left, DataType::BigInt)?, self.to_type(right, DataType::BigInt)?];
                node(TickArithmetic { op, precision }, operands, data_type, precision)
            }
            DataType::Decimal(..) => {
                let shape = |operand: &BoundExpr| decimal::shape_of(operand.data_type).ok_or_else(|| Error::internal("an operand that is no DECIMAL"));
                let shapes = (shape(&left)?, shape(&right)?);
                let operand = |operand: BoundExpr, (digits, scale): decimal::Shape| self.to_type(operand, DataType::Decimal(digits, scale));
                let operands = vec![operand(left, shapes.0)?, operand(right, shapes.1)?];
                self.call(decimal::arithmetic(op, shapes.0, shapes.1), operands, data_type)
            }
            DataType::BigInt => {
                let operands = vec![self.to_type(left, DataType::BigInt)?, self.to_type(right, DataType::BigInt)?];
                self.call(BitArithmetic(op), operands, data_type)
            }
            _ => {
                let operands = vec![self.to_type(left, DataType::Double)?, self.to_type(right, DataType::Double)?];
                self.call(DoubleArithmetic(op), operands, data_type)
            }
        }
    }

    /// `time ± 1n`, `1n + time` and years.
    fn calendar_shift(&self, time: BoundExpr, duration: Duration, times: i64) -> Result<BoundExpr> {
        let precision = time.precision;
        let kernel = CalendarShift { duration, times, precision, zone: self.context.zone.clone() };
        node(kernel, vec![time], DataType::Timestamp, precision)
    }

    fn comparison(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<BoundExpr> {
        let (left, right) = (self.comparable(left)?, self.comparable(right)?);
        self.compare(op, left, right)
    }

    /// `expr` bound, where it is no whole JSON tag.
    fn comparable(&self, expr: &Expr) -> Result<BoundExpr> {
        let bound = self.bind(expr)?;
        if bound.data_type == DataType::Json && matches!(expr, Expr::Column { .. }) {
            return Err(Error::new(code::JSON_NOT_SUPPORT_IN_THIS_PLACE));
        }
        Ok(bound)
    }

    /// `left op right` with TDengine's conversions.
    pub(crate) fn compare(&self, op: BinaryOp, left: BoundExpr, right: BoundExpr) -> Result<BoundExpr> {
        match (left.data_type == DataType::Json, right.data_type == DataType::Json) {
            (true, _) => return self.compare_json(op, left, &right),
            (false, true) => return self.compare_json(compare::swapped(op), right, &left),
            _ => {}
        }
        let data_type = meeting_type(&left, &right)?;
        if [&left, &right].iter().any(|operand| operand.constant() == Some(Value::Null)) {
            return Ok(null_of(DataType::Bool));
        }
        let precision = match (left.data_type, right.data_type) {
            (DataType::Timestamp, DataType::Timestamp) => left.precision.min(right.precision),
            (_, DataType::Timestamp) => right.precision,
            _ => left.precision,
        };
        let left = self.converted(left, data_type, precision, BadTime::Error)?;
        let right = self.converted(right, data_type, precision, BadTime::Error)?;
        self.call(Compare(op), vec![left, right], DataType::Bool)
    }

    fn compare_json(&self, op: BinaryOp, json: BoundExpr, constant: &BoundExpr) -> Result<BoundExpr> {
        let value = constant.constant().ok_or_else(|| Error::new(code::JSON_NOT_SUPPORT_IN_THIS_PLACE))?;
        match JsonOperand::new(&value)? {
            None => Ok(null_of(DataType::Bool)),
            Some(constant) => self.call(CompareJson { op, constant }, vec![json], DataType::Bool),
        }
    }

    fn json_operand(&self, json: &Expr) -> Result<BoundExpr> {
        let json = self.bind(json)?;
        if json.data_type == DataType::Json { Ok(json) } else { Err(Error::new(code::INVALID_OPERATION)) }
    }

    fn matches(&self, expr: &Expr, pattern: &Expr, negated: bool, compile: impl Fn(&[u8]) -> Result<Pattern>) -> Result<BoundExpr> {
        let (text, pattern) = (self.bind(expr)?, self.bind(pattern)?);
        if !text.data_type.is_text() && !matches!(text.data_type, DataType::Json | DataType::Null) {
            return Err(Error::new(code::INVALID_OPERATION));
        }
        match pattern.constant() {
            Some(Value::Null) => Ok(null_of(DataType::Bool)),
            Some(Value::Varchar(bytes)) => self.call(Matches { pattern: compile(&bytes)?, negated }, vec![text], DataType::Bool),
            Some(Value::NChar(pattern)) => self.call(Matches { pattern: compile(pattern.as_bytes())?, negated }, vec![text], DataType::Bool),
            _ => Err(Error::new(code::INVALID_OPERATION)),
        }
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], negated: bool) -> Result<BoundExpr> {
        let left = self.bind(expr)?;
        if left.data_type == DataType::Json {
            return Err(Error::with(code::UNEXPECTED_GENERIC_ERROR, "Json not support in in/notin operator"));
        }
        if matches!(left.data_type, DataType::Blob | DataType::MediumBlob) {
            return Err(cannot_convert());
        }
        let item_type = match left.data_type {
            DataType::Varchar(_) => DataType::Varchar(MAX_VARCHAR),
            DataType::NChar(_) => DataType::NChar(MAX_NCHAR),
            DataType::VarBinary(_) => DataType::VarBinary(MAX_VARCHAR),
            other => other,
        };
        let constant = |item: &Expr| {
            let item = self.converted(self.bind(item)?, item_type, left.precision, BadTime::Error)?;
            item.constant().ok_or_else(|| Error::new(code::INVALID_OPERATION))
        };
        let values = list.iter().map(constant).collect::<Result<Vec<_>>>()?;
        let kernel = InList::new(item_type, &values, negated)?;
        self.call(kernel, vec![left], DataType::Bool)
    }

    fn case(&self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<BoundExpr> {
        match operand {
            None => self.choice(None, branches, otherwise),
            Some(operand) => self.comparable(operand)?.shared(|operand| self.choice(Some(&operand), branches, otherwise)),
        }
    }

    fn choice(&self, operand: Option<&BoundExpr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<BoundExpr> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len());
        for (when, then) in branches {
            conditions.push(match operand {
                Some(operand) => self.compare(BinaryOp::Equal, operand.clone(), self.comparable(when)?)?,
                None => self.bind_condition(when)?,
            });
            results.push(self.bind(then)?);
        }
        let otherwise = otherwise.map(|otherwise| self.bind(otherwise)).transpose()?;
        let typed = results.iter().chain(&otherwise).find(|result| result.data_type != DataType::Null);
        let Some(typed) = typed else { return Ok(null_of(DataType::Null)) };
        let precision = typed.precision;
        // ELSE does not widen the type: TDengine cuts it.
        let data_type = results.iter().fold(typed.data_type, |widest, result| widened(widest, result.data_type));
        let mut arguments = Vec::with_capacity(2 * results.len() + 1);
        for (condition, result) in conditions.into_iter().zip(results) {
            arguments.push(condition);
            arguments.push(self.converted(result, data_type, precision, BadTime::Epoch)?);
        }
        if let Some(otherwise) = otherwise {
            arguments.push(self.converted(otherwise, data_type, precision, BadTime::Epoch)?);
        }
        node(Case { data_type, precision }, arguments, data_type, precision)
    }

    fn cast(&self, expr: &Expr, data_type: DataType, length_given: bool) -> Result<BoundExpr> {
        let (length, limit, unit) = match data_type {
            DataType::NChar(length) => (length, MAX_NCHAR, "NCHARS"),
            DataType::Varchar(length) | DataType::VarBinary(length) | DataType::Geometry(length) => (length, MAX_VARCHAR, "bytes"),
            _ => (1, 1, ""),
        };
        if length == 0 || (length_given && length > limit) {
            let message = format!("CAST function converted length should be in range (0, {limit}] {unit}");
            return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, message));
        }
        let source = self.bind(expr)?;
        let text = source.data_type.is_text() || source.data_type == DataType::Null;
        let allowed = match (source.data_type, data_type) {
            (_, DataType::Json | DataType::Null | DataType::Blob | DataType::MediumBlob) => false,
            (DataType::Geometry(_), DataType::Geometry(_)) => true,
            (DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob, _) => false,
            (_, DataType::VarBinary(_) | DataType::Geometry(_)) => text,
            _ => true,
        };
        if !allowed {
            return Err(functions::invalid_type("cast"));
        }
        self.converted(source, data_type, self.context.precision, BadTime::Epoch)
    }

    fn function(&self, name: &str, arguments: &[Expr]) -> Result<BoundExpr> {
        let Some(function) = functions::lookup(name) else {
            return Err(if aggregate::lookup(name).is_some() {
                Error::new(code::THERE_MUSTN_T_BE_AGGREGATION)
            } else if series::lookup(name).is_some() {
                Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN)
            } else {
                Error::new(code::FUNC_NOT_EXISTS)
            });
        };
        functions::bind(self, function, name, arguments)
    }

    /// What a condition is: BOOL, or anything that can be compared with zero.
    pub(crate) fn condition(&self, bound: BoundExpr) -> Result<BoundExpr> {
        if matches!(bound.data_type, DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob) {
            return Err(Error::new(code::INVALID_OPERATION));
        }
        self.to_type(bound, DataType::Bool)
    }

    /// `bound` converted to a type without a length.
    pub(crate) fn to_type(&self, bound: BoundExpr, data_type: DataType) -> Result<BoundExpr> {
        let precision = bound.precision;
        self.converted(bound, data_type, precision, BadTime::Epoch)
    }

    /// `bound` converted, unless it is of that type already.
    pub(crate) fn converted(&self, bound: BoundExpr, data_type: DataType, precision: Precision, bad_time: BadTime) -> Result<BoundExpr> {
        let same_ticks = data_type != DataType::Timestamp || bound.precision == precision;
        let same_kind = std::mem::discriminant(&bound.data_type) == std::mem::discriminant(&data_type);
        let fits = bound.data_type == data_type || (same_kind && !matches!(data_type, DataType::Decimal(..)) && bound.data_type.length() <= data_type.length());
        if fits && same_ticks {
            return Ok(BoundExpr { data_type, precision, ..bound });
        }
        let kernel = Convert { from: (bound.data_type, bound.precision), to: (data_type, precision), zone: self.context.zone.clone(), bad_time };
        node(kernel, vec![bound], data_type, precision)
    }

    /// A node without ticks.
    pub(crate) fn call(&self, kernel: impl Kernel + 'static, arguments: Vec<BoundExpr>, data_type: DataType) -> Result<BoundExpr> {
        node(kernel, arguments, data_type, self.context.precision)
    }
}

/// What stands beside an arithmetic operator.
enum Operand {
    Duration(Duration),
    Value(BoundExpr),
}

impl Operand {
    /// A duration counts ticks of the other operand's precision.
    fn into_bound(self, precision: Precision) -> BoundExpr {
        match self {
            Self::Duration(duration) => BoundExpr::literal(Value::BigInt(duration.ticks(precision).unwrap_or(duration.value)), precision),
            Self::Value(value) => value,
        }
    }
}

fn is_arithmetic(op: BinaryOp) -> bool {
    use BinaryOp::{Add, BitAnd, BitOr, Divide, Modulo, Multiply, Subtract};
    matches!(op, Add | Subtract | Multiply | Divide | Modulo | BitAnd | BitOr)
}

/// Whether the duration moves the time by the calendar.
fn is_shift(time: &BoundExpr, duration: Duration) -> bool {
    time.data_type == DataType::Timestamp && duration.unit.is_calendar()
}

/// A node; one whose arguments are all constants becomes its value, unless the kernel has a will of its own.
pub(crate) fn node(kernel: impl Kernel + 'static, arguments: Vec<BoundExpr>, data_type: DataType, precision: Precision) -> Result<BoundExpr> {
    let foldable = kernel.is_pure() && arguments.iter().all(|argument| matches!(argument.node, Node::Constant(_)));
    let bound = BoundExpr { node: Node::Call(Arc::new(Call { kernel: Arc::new(kernel), arguments })), data_type, precision };
    if !foldable {
        return Ok(bound);
    }
    let value = crate::value_at(&bound.evaluate(&[], 1)?, data_type, 0);
    Ok(BoundExpr { node: Node::Constant(value), data_type, precision })
}

/// A NULL of a type.
pub(crate) fn null_of(data_type: DataType) -> BoundExpr {
    BoundExpr { node: Node::Constant(Value::Null), data_type, precision: Precision::Milli }
}

/// The type two operands are compared in; an integer constant that fits a column's narrower type is compared in that, and a constant
/// beside a FLOAT is rounded to one, so that `f = 10.3` finds what was stored as 10.3.
fn meeting_type(left: &BoundExpr, right: &BoundExpr) -> Result<DataType> {
    let narrow = |column: &BoundExpr, constant: &BoundExpr| match constant.constant() {
        Some(Value::BigInt(value)) if fits(value, column.data_type) => Some(column.data_type),
        Some(Value::Double(_)) if column.data_type == DataType::Float => Some(DataType::Float),
        _ => None,
    };
    if let Some(data_type) = narrow(left, right).or_else(|| narrow(right, left)) {
        return Ok(data_type);
    }
    compare::common_type(left.data_type, right.data_type)
}

fn fits(value: i64, data_type: DataType) -> bool {
    match data_type {
        DataType::TinyInt => i8::try_from(value).is_ok(),
        DataType::SmallInt => i16::try_from(value).is_ok(),
        DataType::Int => i32::try_from(value).is_ok(),
        DataType::BigInt => true,
        DataType::UTinyInt => u8::try_from(value).is_ok(),
        DataType::USmallInt => u16::try_from(value).is_ok(),
        DataType::UInt => u32::try_from(value).is_ok(),
        _ => false,
    }
}

/// The longer of two lengths of the same type; the first type otherwise.
fn widened(first: DataType, second: DataType) -> DataType {
    let same = std::mem::discriminant(&first) == std::mem::discriminant(&second);
    if same && second.length() > first.length() { second } else { first }
}

fn invalid_column(name: &str) -> Error {
    Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))
}

fn unresolved_pseudo(column: PseudoColumn, text: &str) -> Error {
    match column {
        PseudoColumn::WindowStart | PseudoColumn::WindowEnd | PseudoColumn::WindowDuration => Error::new(code::WSTART_WEND_AND_WDURATION_CAN_ONLY),
        PseudoColumn::TableName => Error::new(code::INVALID_TBNAME_PSEUDO_COLUMN),
        PseudoColumn::RowTimestamp => Error::new(code::INVALID_C0_OR_ROWTS_EXPRESSION),
        _ => invalid_column(text),
    }
}
