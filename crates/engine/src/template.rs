//! The form of a prepared INSERT that takes columns: `INSERT INTO table|? [USING s [(tags)] TAGS (…)] [(columns)] VALUES (?, …)`, its only row
//! all `?`. Anything else is run row by row.

use embudo_catalog::Schema;
use embudo_sql::ast::ObjectName;
use embudo_sql::ast::table::LiteralValue;
use embudo_sql::lexer::{Token, TokenKind, fold, next_token, quoted_name, string_text};
use embudo_types::{Error, Result, Value, code};

/// The form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InsertTemplate {
    /// `None` for `?`.
    pub table: Option<ObjectName>,
    /// USING.
    pub supertable: Option<ObjectName>,
    /// Tags that TAGS(…) gives; empty for all.
    pub tag_names: Vec<String>,
    /// TAGS(…).
    pub tags: Vec<TagCell>,
    /// Columns; empty for all.
    pub columns: Vec<String>,
    /// `?` in the row.
    pub cells: usize,
    /// What the `?` of a row stand for where it also names the child and its tags: `INSERT INTO s (tbname, …)`.
    pub mixed: Option<Vec<Place>>,
}

/// What a `?` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The table's name.
    Table,
    /// The tag with this number among those given.
    Tag(usize),
    /// The column with this number among those given.
    Column(usize),
}

/// A value of TAGS(…) as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TagCell {
    /// `?`.
    Bound,
    /// A literal.
    Literal(LiteralValue),
}

/// A tag's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Given for a `?`.
    Bound(Value),
    /// Written.
    Literal(LiteralValue),
}

impl InsertTemplate {
    /// The same statement as one that names its table by `?` and its tags in TAGS(…), where `name` is a supertable and `tbname` among the
    /// columns.
    pub fn of_supertable(&self, name: &ObjectName, schema: &Schema) -> Option<Self> {
        if !self.columns.iter().any(|column| column == "tbname") || self.columns.len() != self.cells {
            return None;
        }
        let mut template = Self { table: None, supertable: Some(name.clone()), columns: Vec::new(), cells: 0, ..self.clone() };
        let mut mixed = Vec::with_capacity(self.cells);
        for column in &self.columns {
            mixed.push(if column == "tbname" {
                Place::Table
            } else if schema.tag(column).is_some() {
                template.tag_names.push(column.clone());
                template.tags.push(TagCell::Bound);
                Place::Tag(template.tags.len() - 1)
            } else {
                template.columns.push(column.clone());
                template.cells += 1;
                Place::Column(template.cells - 1)
            });
        }
        template.mixed = Some(mixed);
        Some(template)
    }

    /// What each `?` stands for, in the order of the statement.
    pub fn places(&self) -> Vec<Place> {
        if let Some(mixed) = &self.mixed {
            return mixed.clone();
        }
        let bound_tags = self.tags.iter().filter(|tag| **tag == TagCell::Bound).count();
        let table = self.table.is_none().then_some(Place::Table);
        table.into_iter().chain((0..bound_tags).map(Place::Tag)).chain((0..self.cells).map(Place::Column)).collect()
    }

    /// How many `?` there are.
    pub fn parameter_count(&self) -> usize {
        usize::from(self.table.is_none()) + self.tags.iter().filter(|tag| **tag == TagCell::Bound).count() + self.cells
    }

    /// Places in the schema of the tags that TAGS(…) gives.
    pub fn tag_places(&self, schema: &Schema) -> Result<Vec<usize>> {
        if self.tag_names.is_empty() && self.mixed.is_none() {
            return Ok((0..schema.tags.len()).collect());
        }
        let place = |name: &String| schema.tag(name).ok_or_else(|| Error::with(code::INVALID_TAG_NAME, format!("Invalid tag name: {name}")));
        self.tag_names.iter().map(place).collect()
    }

    /// The values of TAGS(…), those of its `?` out of `bound`.
    pub fn tag_values(&self, bound: &[Value]) -> Result<Vec<Cell>> {
        let mut bound = bound.iter();
        let cells = self.tags.iter().map(|tag| match tag {
            TagCell::Literal(literal) => Ok(Cell::Literal(literal.clone())),
            TagCell::Bound => bound.next().cloned().map(Cell::Bound).ok_or_else(|| Error::new(code::TAGS_NUMBER_NOT_MATCHED)),
        });
        let cells = cells.collect::<Result<Vec<_>>>()?;
        if bound.next().is_some() { Err(Error::new(code::TAGS_NUMBER_NOT_MATCHED)) } else { Ok(cells) }
    }
}

/// How many `?` a statement has.
pub(crate) fn count_parameters(sql: &str) -> usize {
    let mut count = 0;
    let mut token = next_token(sql, 0);
    while !matches!(token.kind, TokenKind::End | TokenKind::Illegal) {
        count += usize::from(token.kind == TokenKind::Question);
        token = next_token(sql, token.end);
    }
    count
}

/// The form of a statement, where it has it.
pub(crate) fn parse(sql: &str) -> Option<InsertTemplate> {
    let mut parser = Parser { sql, token: next_token(sql, 0) };
    if !parser.word("insert") && !parser.word("import") {
        return None;
    }
    parser.word("into").then_some(())?;
    let table = if parser.take(TokenKind::Question) { None } else { Some(parser.name()?) };
    let mut template = InsertTemplate { table, supertable: None, tag_names: Vec::new(), tags: Vec::new(), columns: Vec::new(), cells: 0, mixed: None };
    if parser.token.kind == TokenKind::LeftParen {
        template.columns = parser.names()?;
    }
    if parser.word("using") {
        template.supertable = Some(parser.name()?);
        if parser.token.kind == TokenKind::LeftParen {
            template.tag_names = parser.names()?;
        }
        parser.word("tags").then_some(())?;
        template.tags = parser.list(Parser::tag)?;
        if parser.token.kind == TokenKind::LeftParen && template.columns.is_empty() {
            template.columns = parser.names()?;
        }
    }
    parser.word("values").then_some(())?;
    template.cells = parser.list(|parser| parser.take(TokenKind::Question).then_some(()))?.len();
    parser.take(TokenKind::Semicolon);
    (parser.token.kind == TokenKind::End).then_some(template)
}

struct Parser<'a> {
    sql: &'a str,
    token: Token,
}

impl<'a> Parser<'a> {
    fn text(&self) -> &'a str {
        &self.sql[self.token.start..self.token.end]
    }

    fn next(&mut self) {
        self.token = next_token(self.sql, self.token.end);
    }

    fn take(&mut self, kind: TokenKind) -> bool {
        let found = self.token.kind == kind;
        if found {
            self.next();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.token.kind == TokenKind::Word && self.text().eq_ignore_ascii_case(word);
        if found {
            self.next();
        }
        found
    }

    fn identifier(&mut self) -> Option<String> {
        let name = match self.token.kind {
            TokenKind::Word => fold(self.text()),
            TokenKind::Quoted => quoted_name(self.text()),
            _ => return None,
        };
        self.next();
        Some(name)
    }

    fn name(&mut self) -> Option<ObjectName> {
        let first = self.identifier()?;
        if self.take(TokenKind::Dot) {
            return Some(ObjectName { database: Some(first), name: self.identifier()? });
        }
        Some(ObjectName::bare(first))
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take(TokenKind::LeftParen).then_some(())?;
        let mut items = vec![item(self)?];
        while self.take(TokenKind::Comma) {
            items.push(item(self)?);
        }
        self.take(TokenKind::RightParen).then_some(items)
    }

    fn names(&mut self) -> Option<Vec<String>> {
        self.list(Self::identifier)
    }

    /// A `?` or a plain literal.
    fn tag(&mut self) -> Option<TagCell> {
        if self.take(TokenKind::Question) {
            return Some(TagCell::Bound);
        }
        let sign = if self.take(TokenKind::Minus) { "-" } else { "" };
        let text = self.text();
        let literal = match self.token.kind {
            TokenKind::Integer | TokenKind::Float | TokenKind::Hex | TokenKind::Binary => LiteralValue::Number(format!("{sign}{}", text.to_ascii_lowercase())),
            _ if !sign.is_empty() => return None,
            TokenKind::String => LiteralValue::String(string_text(text).into_owned()),
            TokenKind::Word if text.eq_ignore_ascii_case("null") => LiteralValue::Null,
            TokenKind::Word if text.eq_ignore_ascii_case("true") => LiteralValue::Bool(true),
            TokenKind::Word if text.eq_ignore_ascii_case("false") => LiteralValue::Bool(false),
            _ => return None,
        };
        self.next();
        Some(TagCell::Literal(literal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_take_columns() {
        let template = parse("INSERT INTO ? USING db.s (g, n) TAGS (?, 'x') (ts, a) VALUES (?, ?)").unwrap();
        assert_eq!(template.table, None);
        assert_eq!(template.supertable, Some(ObjectName { database: Some("db".into()), name: "s".into() }));
        assert_eq!(template.tag_names, ["g", "n"]);
        assert_eq!(template.tags, [TagCell::Bound, TagCell::Literal(LiteralValue::String("x".into()))]);
        assert_eq!(template.columns, ["ts", "a"]);
        assert_eq!(template.parameter_count(), 4);
        assert_eq!(parse("insert into `T` values(?,?,?);").unwrap().table, Some(ObjectName::bare("T")));
    }

    #[test]
    fn every_place_is_known() {
        let template = parse("INSERT INTO ? USING s TAGS (?, 'x') VALUES (?, ?)").unwrap();
        assert_eq!(template.places(), [Place::Table, Place::Tag(0), Place::Column(0), Place::Column(1)]);
        assert_eq!(parse("INSERT INTO t VALUES (?)").unwrap().places(), [Place::Column(0)]);
    }

    #[test]
    fn other_forms_do_not() {
        for sql in ["INSERT INTO t VALUES (now, ?)", "INSERT INTO t VALUES (?, ?) (?, ?)", "INSERT INTO t SELECT * FROM s", "INSERT INTO t", "SELECT ?"] {
            assert_eq!(parse(sql), None, "{sql}");
        }
        assert_eq!(count_parameters("INSERT INTO t VALUES (now, ?) -- ?\n ('?', ?)"), 2);
    }
}
