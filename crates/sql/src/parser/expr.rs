//! Expressions. The grammar has two levels, values and conditions; [`Node`] tells them apart, because where a condition is asked for
//! (AND, OR, NOT) a bare value is a syntax error at the token after it.

use embudo_types::{DataType, Error, MAX_NCHAR, MAX_VARCHAR, Result, code};

use super::Parser;
use crate::{
    ast::expr::{BinaryOp, Expr, Literal, PseudoColumn},
    lexer::{self, TokenKind},
};

/// An expression and whether it is a condition (a predicate, AND, OR, NOT) or a value.
struct Node {
    expr: Expr,
    condition: bool,
}

impl Node {
    fn value(expr: Expr) -> Self {
        Self { expr, condition: false }
    }

    fn condition(expr: Expr) -> Self {
        Self { expr, condition: true }
    }
}

/// How tightly the operators of values bind.
fn value_operator(kind: TokenKind) -> Option<(u8, BinaryOp)> {
    Some(match kind {
        TokenKind::Ampersand => (1, BinaryOp::BitAnd),
        TokenKind::Pipe => (1, BinaryOp::BitOr),
        TokenKind::Plus => (2, BinaryOp::Add),
        TokenKind::Minus => (2, BinaryOp::Subtract),
        TokenKind::Star => (3, BinaryOp::Multiply),
        TokenKind::Slash => (3, BinaryOp::Divide),
        TokenKind::Percent => (3, BinaryOp::Modulo),
        _ => return None,
    })
}

fn comparison(kind: TokenKind) -> Option<BinaryOp> {
    Some(match kind {
        TokenKind::Equal => BinaryOp::Equal,
        TokenKind::NotEqual => BinaryOp::NotEqual,
        TokenKind::Less => BinaryOp::Less,
        TokenKind::LessEqual => BinaryOp::LessEqual,
        TokenKind::Greater => BinaryOp::Greater,
        TokenKind::GreaterEqual => BinaryOp::GreaterEqual,
        _ => return None,
    })
}

/// A `*` as argument is for these only.
const STAR_FUNCTIONS: [&str; 4] = ["count", "first", "last", "last_row"];

/// Keywords that are functions when a parenthesis follows. TRIM, REPLACE and IF came after 3.3.1, whose grammar refuses them.
fn is_keyword_function(word: &str) -> bool {
    STAR_FUNCTIONS.contains(&word) || matches!(word, "replace" | "if")
}

/// Functions that are called without arguments.
fn is_niladic(word: &str) -> bool {
    matches!(word, "now" | "today" | "timezone" | "database" | "client_version" | "server_version" | "server_status" | "current_user" | "user" | "pi" | "rand")
}

fn pseudo_column(word: &str) -> Option<PseudoColumn> {
    Some(match word {
        "tbname" => PseudoColumn::TableName,
        "_rowts" | "_c0" => PseudoColumn::RowTimestamp,
        "_qstart" => PseudoColumn::QueryStart,
        "_qend" => PseudoColumn::QueryEnd,
        "_qduration" => PseudoColumn::QueryDuration,
        "_wstart" => PseudoColumn::WindowStart,
        "_wend" => PseudoColumn::WindowEnd,
        "_wduration" => PseudoColumn::WindowDuration,
        "_irowts" => PseudoColumn::InterpTimestamp,
        "_isfilled" => PseudoColumn::IsFilled,
        "_tags" => PseudoColumn::Tags,
        _ => return None,
    })
}

impl Parser<'_> {
    /// A value or a condition: select items, WHERE, HAVING, ON, CASE.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        Ok(self.either()?.expr)
    }

    /// A value: function arguments, GROUP BY, ORDER BY, operands.
    pub(super) fn value(&mut self) -> Result<Expr> {
        let node = self.value_node(0)?;
        if node.condition { Err(self.unexpected()) } else { Ok(node.expr) }
    }

    fn either(&mut self) -> Result<Node> {
        self.nested(|parser| {
            let first = parser.conjunction()?;
            if !parser.at_word("or") {
                return Ok(first);
            }
            parser.chain(first, "or", BinaryOp::Or, Self::conjunction)
        })
    }

    fn conjunction(&mut self) -> Result<Node> {
        let first = self.negation()?;
        if !self.at_word("and") {
            return Ok(first);
        }
        self.chain(first, "and", BinaryOp::And, Self::negation)
    }

    fn chain(&mut self, first: Node, word: &str, op: BinaryOp, operand: fn(&mut Self) -> Result<Node>) -> Result<Node> {
        if !first.condition {
            return Err(self.unexpected());
        }
        let mut operands = vec![first.expr];
        while self.eat_word(word) {
            let next = operand(self)?;
            if !next.condition {
                return Err(self.unexpected());
            }
            operands.push(next.expr);
        }
        self.grow(super::LEVEL * operands.len().ilog2())?;
        Expr::joined(op, operands).map(Node::condition).ok_or_else(|| self.unexpected())
    }

    fn negation(&mut self) -> Result<Node> {
        if !self.eat_word("not") {
            return self.predicate();
        }
        let operand = self.predicate()?;
        if !operand.condition {
            return Err(self.unexpected());
        }
        Ok(Node::condition(Expr::Not(Box::new(operand.expr))))
    }

    fn predicate(&mut self) -> Result<Node> {
        let left = self.value_node(0)?;
        let token = self.token;
        let is_predicate =
            comparison(token.kind).is_some() || matches!(self.word(), "not" | "like" | "match" | "nmatch" | "contains" | "between" | "in" | "is");
        if !is_predicate {
            return Ok(left);
        }
        if left.condition {
            return Err(self.unexpected());
        }
        let expr = Box::new(left.expr);
        if let Some(op) = comparison(token.kind) {
            self.advance();
            return Ok(Node::condition(Expr::Binary { op, left: expr, right: Box::new(self.value()?) }));
        }
        if self.eat_word("is") {
            let negated = self.eat_word("not");
            self.expect_word("null")?;
            return Ok(Node::condition(Expr::IsNull { expr, negated }));
        }
        if self.eat_word("contains") {
            return Ok(Node::condition(Expr::Contains { json: expr, key: self.string()? }));
        }
        if self.at_word("match") || self.at_word("nmatch") {
            let negated = self.at_word("nmatch");
            self.advance();
            return Ok(Node::condition(Expr::Match { expr, pattern: Box::new(self.value()?), negated }));
        }
        let negated = self.eat_word("not");
        Ok(Node::condition(if self.eat_word("like") {
            Expr::Like { expr, pattern: Box::new(self.value()?), negated }
        } else if self.eat_word("between") {
            let low = Box::new(self.value()?);
            self.expect_word("and")?;
            Expr::Between { expr, low, high: Box::new(self.value()?), negated }
        } else if self.eat_word("in") {
            let list = self.parenthesised(|parser| parser.comma_separated(Self::list_literal))?;
            Expr::InList { expr, list, negated }
        } else {
            return Err(self.unexpected());
        }))
    }

    /// Values joined by operators that bind tighter than `floor`.
    fn value_node(&mut self, floor: u8) -> Result<Node> {
        self.measured(|parser| parser.links(floor))
    }

    fn links(&mut self, floor: u8) -> Result<Node> {
        let mut left = self.unary()?;
        while let Some((power, op)) = value_operator(self.token.kind) {
            if power <= floor {
                break;
            }
            if left.condition {
                return Err(self.unexpected());
            }
            self.advance();
            let right = self.value_node(power)?;
            if right.condition {
                return Err(self.unexpected());
            }
            // These operators do not regroup, so a chain is as deep as it is long.
            self.grow(super::LINK)?;
            left = Node::value(Expr::Binary { op, left: Box::new(left.expr), right: Box::new(right.expr) });
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node> {
        let negative = self.at(TokenKind::Minus);
        if !negative && !self.at(TokenKind::Plus) {
            return self.primary();
        }
        self.advance();
        let number = self.token.kind;
        let operand = self.nested(Self::unary)?;
        if operand.condition {
            return Err(self.unexpected());
        }
        Ok(Node::value(match operand.expr {
            expr if !negative => expr,
            // A sign directly before a number is the number's.
            Expr::Literal(Literal::Integer(value)) if number == TokenKind::Integer => Expr::Literal(Literal::Integer(-value)),
            Expr::Literal(Literal::Unsigned(value)) if number == TokenKind::Integer && value == 1 << 63 => Expr::Literal(Literal::Integer(i64::MIN)),
            Expr::Literal(Literal::Double(value)) if number == TokenKind::Float => Expr::Literal(Literal::Double(-value)),
            expr => Expr::Negate(Box::new(expr)),
        }))
    }

    fn primary(&mut self) -> Result<Node> {
        let token = self.token;
        match token.kind {
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.either()?;
                self.expect(TokenKind::RightParen)?;
                Ok(inner)
            }
            TokenKind::Integer | TokenKind::Float | TokenKind::String | TokenKind::Duration | TokenKind::Question => Ok(Node::value(self.literal()?)),
            TokenKind::Quoted | TokenKind::ForeignWord => self.column_or_call().map(Node::value),
            TokenKind::Word => self.word_primary().map(Node::value),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self) -> Result<Expr> {
        let token = self.token;
        let text = self.text(token);
        let literal = match token.kind {
            TokenKind::Question => {
                self.advance();
                self.parameters += 1;
                return Ok(Expr::Parameter(self.parameters - 1));
            }
            TokenKind::Integer => match text.parse::<i64>() {
                Ok(value) => Literal::Integer(value),
                Err(_) => Literal::Unsigned(text.parse().unwrap_or(u64::MAX)),
            },
            TokenKind::Float => Literal::Double(text.parse().map_err(|_| self.unexpected())?),
            TokenKind::String => Literal::String(lexer::string_text(text).into_owned()),
            TokenKind::Duration => return Ok(Expr::Literal(Literal::Duration(self.duration()?))),
            _ => match self.word() {
                "null" => Literal::Null,
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "timestamp" => {
                    self.advance();
                    return Ok(Expr::Literal(Literal::Timestamp(self.string()?)));
                }
                _ => return Err(self.unexpected()),
            },
        };
        self.advance();
        Ok(Expr::Literal(literal))
    }

    /// An element of an IN list: a literal, a number with its sign.
    fn list_literal(&mut self) -> Result<Expr> {
        if !matches!(self.token.kind, TokenKind::Minus | TokenKind::Plus) {
            return self.literal();
        }
        if !matches!(self.peek().kind, TokenKind::Integer | TokenKind::Float | TokenKind::Duration) {
            self.advance();
            return Err(self.unexpected());
        }
        Ok(self.unary()?.expr)
    }

    /// What starts with a word: a keyword's construct, a function call, a column.
    fn word_primary(&mut self) -> Result<Expr> {
        let word = self.word();
        let call = self.peek().kind == TokenKind::LeftParen;
        match word {
            "null" | "true" | "false" | "timestamp" => self.literal(),
            "case" => self.nested(Self::case),
            "cast" if call => self.cast(),
            "now" | "today" if !call => {
                self.advance();
                Ok(Expr::Function { name: word.to_owned(), arguments: Vec::new() })
            }
            _ if call && is_niladic(word) && lexer::next_token(self.sql, self.peek().end).kind == TokenKind::RightParen => {
                for _ in 0..3 {
                    self.advance();
                }
                Ok(Expr::Function { name: word.to_owned(), arguments: Vec::new() })
            }
            "trim" if call => self.nested(Self::trim),
            "position" if call => self.nested(Self::position),
            "substr" | "substring" if call => self.nested(Self::substring),
            _ if call && is_keyword_function(word) => self.call(),
            _ => {
                if let Some(column) = pseudo_column(word) {
                    self.advance();
                    return Ok(Expr::Pseudo { table: None, column, text: word.to_owned() });
                }
                self.column_or_call()
            }
        }
    }

    fn column_or_call(&mut self) -> Result<Expr> {
        let token = self.token;
        match self.peek().kind {
            TokenKind::LeftParen if token.kind == TokenKind::Word && !lexer::is_reserved(self.text(token)) => self.call(),
            TokenKind::Dot if token.kind != TokenKind::ForeignWord => {
                let table = Some(self.table_name()?);
                self.advance();
                if self.at_word("tbname") {
                    self.advance();
                    return Ok(Expr::Pseudo { table, column: PseudoColumn::TableName, text: "tbname".to_owned() });
                }
                let name = self.column_name()?;
                self.json_get(Expr::Column { table, name })
            }
            _ if token.kind == TokenKind::ForeignWord => {
                let name = self.text(token).to_owned();
                if name.len() > super::MAX_COLUMN_NAME {
                    let text = format!("Invalid identifier name: {}", &self.sql[token.start..]);
                    return Err(Self::error(code::INVALID_IDENTIFIER_NAME, text).at(token.start));
                }
                self.advance();
                Ok(Expr::Column { table: None, name })
            }
            _ => {
                let name = self.column_name()?;
                self.json_get(Expr::Column { table: None, name })
            }
        }
    }

    fn json_get(&mut self, column: Expr) -> Result<Expr> {
        if !self.eat(TokenKind::Arrow) {
            return Ok(column);
        }
        Ok(Expr::JsonGet { json: Box::new(column), key: self.string()? })
    }

    fn call(&mut self) -> Result<Expr> {
        let token = self.advance();
        let name = self.text(token).to_owned();
        if name.len() > super::MAX_COLUMN_NAME {
            return Err(Self::error(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {}", &self.sql[self.previous.start..])));
        }
        let takes_star = STAR_FUNCTIONS.contains(&name.as_str());
        let takes_condition = name == "if";
        let arguments = self.nested(|parser| {
            parser.parenthesised(|parser| {
                parser.comma_separated(|parser| match parser.star()? {
                    Some(star) if takes_star => Ok(star),
                    Some(_) => Err(parser.unexpected_at(parser.previous)),
                    None if takes_condition => parser.expression(),
                    None => parser.value(),
                })
            })
        })?;
        Ok(Expr::Function { name, arguments })
    }

    /// `TRIM(text)`, or `TRIM([LEADING | TRAILING | BOTH] [part] FROM text)`: then the arguments are the side, the part and the text.
    fn trim(&mut self) -> Result<Expr> {
        self.advance();
        let arguments = self.parenthesised(|parser| {
            let side = parser.word();
            // The last two are no keywords: alone they are columns.
            let given = side == "leading" || matches!(side, "trailing" | "both") && !matches!(parser.peek().kind, TokenKind::RightParen | TokenKind::Dot);
            if given {
                parser.advance();
            }
            let part = if given && parser.at_word("from") { Expr::Literal(Literal::String(" ".to_owned())) } else { parser.value()? };
            if !given && !parser.at_word("from") {
                return Ok(vec![part]);
            }
            parser.expect_word("from")?;
            let side = Expr::Literal(Literal::String(if given { side } else { "both" }.to_owned()));
            Ok(vec![side, part, parser.value()?])
        })?;
        Ok(Expr::Function { name: "trim".to_owned(), arguments })
    }

    /// `POSITION(part IN text)`, also with a comma.
    fn position(&mut self) -> Result<Expr> {
        self.advance();
        let arguments = self.parenthesised(|parser| {
            let part = parser.value()?;
            if !parser.eat(TokenKind::Comma) {
                parser.expect_word("in")?;
            }
            Ok(vec![part, parser.value()?])
        })?;
        Ok(Expr::Function { name: "position".to_owned(), arguments })
    }

    /// `SUBSTR(text, place[, length])`, or `SUBSTR(text FROM place [FOR length])`.
    fn substring(&mut self) -> Result<Expr> {
        let token = self.advance();
        let name = self.text(token).to_owned();
        let arguments = self.parenthesised(|parser| {
            let text = parser.value()?;
            if !parser.eat_word("from") {
                let mut arguments = vec![text];
                while parser.eat(TokenKind::Comma) {
                    arguments.push(parser.value()?);
                }
                return Ok(arguments);
            }
            let mut arguments = vec![text, parser.value()?];
            if parser.eat_word("for") {
                arguments.push(parser.value()?);
            }
            Ok(arguments)
        })?;
        Ok(Expr::Function { name, arguments })
    }

    /// `*` or `table.*`, if that is next.
    pub(super) fn star(&mut self) -> Result<Option<Expr>> {
        if self.eat(TokenKind::Star) {
            return Ok(Some(Expr::Star { table: None }));
        }
        let dot = self.peek();
        if dot.kind != TokenKind::Dot || lexer::next_token(self.sql, dot.end).kind != TokenKind::Star {
            return Ok(None);
        }
        let table = Some(self.table_name()?);
        self.advance();
        self.advance();
        Ok(Some(Expr::Star { table }))
    }

    fn case(&mut self) -> Result<Expr> {
        self.expect_word("case")?;
        let operand = if self.at_word("when") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        while branches.is_empty() || self.at_word("when") {
            self.expect_word("when")?;
            let when = self.expression()?;
            self.expect_word("then")?;
            branches.push((when, self.expression()?));
        }
        let otherwise = if self.eat_word("else") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_word("end")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    fn cast(&mut self) -> Result<Expr> {
        self.advance();
        self.parenthesised(|parser| {
            let expr = Box::new(parser.nested(Self::expression)?);
            parser.expect_word("as")?;
            let (data_type, length_given) = parser.data_type(true)?;
            Ok(Expr::Cast { expr, data_type, length_given })
        })
    }

    /// A type and whether its length was written; without one only where `default_length`, as in CAST.
    pub(super) fn data_type(&mut self, default_length: bool) -> Result<(DataType, bool)> {
        let word = self.word();
        let fixed = match word {
            "bool" => DataType::Bool,
            "tinyint" => DataType::TinyInt,
            "smallint" => DataType::SmallInt,
            "int" | "integer" => DataType::Int,
            "bigint" => DataType::BigInt,
            "float" => DataType::Float,
            "double" => DataType::Double,
            "timestamp" => DataType::Timestamp,
            "json" => DataType::Json,
            "blob" => DataType::Blob,
            "mediumblob" => DataType::MediumBlob,
            "decimal" => return self.decimal(),
            "varchar" | "binary" | "varbinary" | "nchar" | "geometry" => return self.variable_type(word, default_length),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let data_type = match fixed {
            DataType::TinyInt if self.eat_word("unsigned") => DataType::UTinyInt,
            DataType::SmallInt if self.eat_word("unsigned") => DataType::USmallInt,
            DataType::Int if self.eat_word("unsigned") => DataType::UInt,
            DataType::BigInt if self.eat_word("unsigned") => DataType::UBigInt,
            other => other,
        };
        Ok((data_type, false))
    }

    fn variable_type(&mut self, word: &str, default_length: bool) -> Result<(DataType, bool)> {
        self.advance();
        let given = self.at(TokenKind::LeftParen);
        let length = if given || !default_length || word == "geometry" {
            u32::try_from(self.parenthesised(Self::integer)?).unwrap_or(u32::MAX)
        } else if word == "nchar" {
            MAX_NCHAR
        } else {
            MAX_VARCHAR
        };
        let data_type = match word {
            "nchar" => DataType::NChar(length),
            "varbinary" => DataType::VarBinary(length),
            "geometry" => DataType::Geometry(length),
            _ => DataType::Varchar(length),
        };
        Ok((data_type, given))
    }

    /// `DECIMAL[(precision[, scale])]`: 38 digits at most, without arguments 10.
    fn decimal(&mut self) -> Result<(DataType, bool)> {
        self.advance();
        let (precision, scale) = self.parenthesised(|parser| {
            let precision = parser.integer()?;
            let scale = if parser.eat(TokenKind::Comma) { parser.integer()? } else { 0 };
            Ok((precision, scale))
        })?;
        if !(1..=38).contains(&precision) || scale > precision {
            return Err(Error::with(code::INVALID_COLUMN_LENGTH_FOR_VAR_LENGTH, "Invalid decimal type, precision 1 to 38, scale 0 to precision"));
        }
        Ok((DataType::Decimal(precision as u8, scale as u8), true))
    }
}
