//! Expressions and conditions. Identifiers are as the dialect sees them: folded to lower case unless written in backticks.

use embudo_types::{DataType, Duration};

/// A value expression or a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Literal(Literal),
    /// `name` or `table.name`; tags and columns alike.
    Column {
        /// Table name or alias before the dot.
        table: Option<String>,
        /// Column, tag or alias.
        name: String,
    },
    /// `tbname`, `_wstart` and their kind, with the table before the dot.
    Pseudo {
        /// Table name or alias before the dot.
        table: Option<String>,
        /// Which.
        column: PseudoColumn,
        /// As written, since `_c0` and `_rowts` name their result differently.
        text: String,
    },
    /// `*` or `table.*` in a select list or as a function's argument.
    Star {
        /// Table name or alias before the dot.
        table: Option<String>,
    },
    /// `?` in a prepared statement, counted from 0.
    Parameter(usize),
    /// `-x` (a unary plus leaves no trace).
    Negate(Box<Expr>),
    /// `NOT x`.
    Not(Box<Expr>),
    /// Arithmetic, bits, comparison, AND, OR.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `json -> 'key'`.
    JsonGet {
        /// The JSON tag.
        json: Box<Expr>,
        /// The key.
        key: String,
    },
    /// `json CONTAINS 'key'`.
    Contains {
        /// The JSON tag.
        json: Box<Expr>,
        /// The key.
        key: String,
    },
    /// `x [NOT] LIKE pattern`.
    Like {
        /// Text.
        expr: Box<Expr>,
        /// Pattern.
        pattern: Box<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `x MATCH regex`, `x NMATCH regex`.
    Match {
        /// Text.
        expr: Box<Expr>,
        /// POSIX extended regular expression.
        pattern: Box<Expr>,
        /// NMATCH.
        negated: bool,
    },
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// Value.
        expr: Box<Expr>,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `x [NOT] IN (literals)`.
    InList {
        /// Value.
        expr: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `x IS [NOT] NULL`.
    IsNull {
        /// Value.
        expr: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// `CASE [operand] WHEN … THEN … [ELSE …] END`.
    Case {
        /// What a simple CASE compares.
        operand: Option<Box<Expr>>,
        /// Pairs of WHEN and THEN.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(x AS type)`; `length_given` tells `VARCHAR(n)` from a bare `VARCHAR`.
    Cast {
        /// What to convert.
        expr: Box<Expr>,
        /// To which type; without a written length it carries the default.
        data_type: DataType,
        /// Whether a length was written.
        length_given: bool,
    },
    /// `name(arguments)`, name in lower case. `NOW`, `TODAY`, `TIMEZONE` … without parentheses come as calls too.
    Function {
        /// Lower-case name.
        name: String,
        /// Arguments; `*` is [`Expr::Star`].
        arguments: Vec<Expr>,
    },
}

/// A constant as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// Up to 2^63-1: BIGINT. A sign is a [`Expr::Negate`] except directly before the number.
    Integer(i64),
    /// 2^63 to 2^64-1 (beyond it saturates): BIGINT UNSIGNED.
    Unsigned(u64),
    /// DOUBLE, with the text as written.
    Double(f64),
    /// `'…'` or `"…"`, escapes resolved.
    String(String),
    /// `TIMESTAMP '…'`.
    Timestamp(String),
    /// `10s`.
    Duration(Duration),
}

/// Binary operators, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// OR.
    Or,
    /// AND.
    And,
    /// `=`, `==`.
    Equal,
    /// `<>`, `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `&`.
    BitAnd,
    /// `|`.
    BitOr,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

/// Columns that no schema names (spec/sql.md 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PseudoColumn {
    /// Name of the child or normal table.
    TableName,
    /// `_rowts`, `_c0`: the primary timestamp.
    RowTimestamp,
    /// `_qstart`.
    QueryStart,
    /// `_qend`.
    QueryEnd,
    /// `_qduration`.
    QueryDuration,
    /// `_wstart`.
    WindowStart,
    /// `_wend`.
    WindowEnd,
    /// `_wduration`.
    WindowDuration,
    /// `_irowts`.
    InterpTimestamp,
    /// `_isfilled`.
    IsFilled,
    /// `_tags`: all tags.
    Tags,
}
