//! Random queries whose answer is certain: where TDengine leaves one open (ties in time, rows that may come in any order) it is not asked.

use super::cell::Cell;
use super::expression::{Cond, Expr, Scope};
use super::query::{Between, Fill, Item, Join, JoinKind, Query, Select, Series, Shape, Source, Window};
use super::random::Random;
use super::world::{Kind, State, World};

pub struct Generator<'a> {
    pub world: &'a World,
    pub state: &'a State,
    pub random: &'a mut Random,
}

impl Generator<'_> {
    pub fn query(&mut self) -> Query {
        match self.random.below(20) {
            0..=3 => Query::One(self.rows()),
            4 => self.union(),
            5..=8 => Query::One(self.groups()),
            9..=12 => Query::One(self.windows()),
            13 => Query::One(self.fills()),
            14 | 15 => Query::One(self.joins()),
            16 => Query::One(self.newest()),
            17 if self.world.key.is_none() => Query::One(self.interpolated()),
            18 if self.world.key.is_none() => Query::One(self.series()),
            _ => Query::One(self.over_subquery()),
        }
    }

    fn normal(&self) -> usize {
        self.world.tables.len() - 1
    }

    fn table(&mut self) -> usize {
        self.random.below(self.world.tables.len())
    }

    fn source(&mut self) -> Source {
        if self.random.one_in(2) { Source::Super } else { Source::Table(self.table()) }
    }

    /// What rows of a source have, but their time.
    fn scope(&self, source: &Source) -> Scope {
        match source {
            Source::Table(table) => self.table_scope(Some(*table)),
            Source::Super => self.table_scope(None),
            Source::Sub(select) => match &select.shape {
                Shape::Rows { items, .. } => items.iter().enumerate().skip(1).map(|(place, item)| (format!("a{place}"), item.kind())).collect(),
                Shape::Groups { items, .. } => items.iter().enumerate().skip(1).map(|(place, item)| (format!("a{place}"), kind_of(item))).collect(),
                _ => Scope::new(),
            },
            Source::Join(join) => {
                let side = |table: Option<usize>, side: &str| -> Scope {
                    self.table_scope(table).into_iter().map(|(name, kind)| (format!("{side}.{name}"), kind)).collect()
                };
                let (left, right) = (side(join.tables.map(|tables| tables.0), "a"), side(join.tables.map(|tables| tables.1), "b"));
                match join.kind {
                    JoinKind::LeftSemi | JoinKind::LeftAnti => left,
                    JoinKind::RightSemi | JoinKind::RightAnti => right,
                    _ => left.into_iter().chain(right).collect(),
                }
            }
        }
    }

    fn table_scope(&self, table: Option<usize>) -> Scope {
        let is_normal = table == Some(self.normal());
        let columns = if is_normal { &self.world.first_columns } else { &self.state.columns };
        let mut scope: Scope = columns.iter().map(|column| (column.name.clone(), column.kind)).collect();
        scope.extend(self.world.key.map(|kind| ("ck".to_owned(), kind)));
        if !is_normal {
            scope.extend([("g".to_owned(), Kind::Int), ("h".to_owned(), Kind::Varchar)]);
        }
        scope
    }

    /// Whether rows of different tables of a source may have one time.
    fn has_ties(&self, source: &Source, keys: &[Expr]) -> bool {
        let by_table = keys.iter().any(|key| matches!(key, Expr::Column(name, _) if name == "tbname"));
        match source {
            Source::Super => self.world.is_shared && !by_table,
            Source::Join(_) => true,
            _ => false,
        }
    }

    fn select(&mut self, source: Source, shape: Shape) -> Select {
        let scope = self.scope(&source);
        let range = if self.random.one_in(3) { Some(self.world.range(self.random)) } else { None };
        let filter = if self.random.one_in(2) && !scope.is_empty() { Some(Cond::random(self.random, &scope, 2, self.world.base)) } else { None };
        Select { source, range, filter, shape, order: Vec::new(), limit: None, groups: None }
    }

    fn items(&mut self, scope: &Scope, first: Expr) -> Vec<Expr> {
        let mut items = vec![first];
        for _ in 0..=self.random.below(3) {
            items.push(Expr::random(self.random, scope, self.world.base));
        }
        items
    }

    fn ordered(&mut self, mut select: Select) -> Select {
        let width = select.width();
        if self.random.one_in(2) {
            for _ in 0..=self.random.below(2) {
                let place = self.random.below(width);
                if select.order.iter().all(|key| key.0 != place) {
                    let nulls = if self.random.one_in(2) { None } else { Some(self.random.one_in(2)) };
                    select.order.push((place, self.random.one_in(2), nulls));
                }
            }
        }
        let is_keyed = matches!(&select.shape, Shape::Groups { keys, .. } if !keys.is_empty());
        if self.random.one_in(3) && (!is_keyed || !select.order.is_empty()) {
            select.limit = Some((self.random.below(12), if self.random.one_in(2) { 0 } else { self.random.below(6) }));
        }
        select
    }

    fn rows(&mut self) -> Select {
        let source = self.source();
        let scope = self.scope(&source);
        let distinct = self.random.one_in(4);
        let first = if distinct {
            Expr::random(self.random, &scope, self.world.base)
        } else if self.random.one_in(3) {
            Expr::Column("tbname".into(), Kind::Varchar)
        } else {
            Expr::Column("ts".into(), Kind::Time)
        };
        let items = self.items(&scope, first);
        let asks_tables = distinct && matches!(source, Source::Super) && items.iter().all(|item| item.is_of(&["tbname", "g", "h"]));
        let mut select = self.select(source, Shape::Rows { distinct, items });
        if asks_tables {
            (select.range, select.filter) = (None, None);
        }
        self.ordered(select)
    }

    fn union(&mut self) -> Query {
        let table = self.random.below(self.normal());
        let source = if self.random.one_in(2) { Source::Super } else { Source::Table(table) };
        let scope = self.scope(&source);
        let items = self.items(&scope, Expr::Column("ts".into(), Kind::Time));
        let left = self.select(source, Shape::Rows { distinct: false, items: items.clone() });
        let other = self.random.below(self.normal());
        let right = self.select(Source::Table(other), Shape::Rows { distinct: false, items });
        Query::Union(left, right, self.random.one_in(2))
    }

    fn aggregate(&mut self, scope: &Scope, ties: bool, is_windowed: bool) -> Item {
        let number = Expr::number(self.random, scope, 1, self.world.base);
        let any = Expr::random(self.random, scope, self.world.base);
        let column = Expr::column(self.random, scope, |_| true).unwrap_or_else(|| number.clone());
        match self.random.below(13) {
            0 => Item::Aggregate("COUNT", None),
            1 => Item::Aggregate("COUNT", Some(any)),
            2 => Item::Aggregate("SUM", Some(number)),
            3 => Item::Aggregate("AVG", Some(number)),
            4 => Item::Aggregate("MIN", Some(number)),
            5 => Item::Aggregate("MAX", Some(number)),
            6 => Item::Aggregate("SPREAD", Some(number)),
            7 => Item::Aggregate("STDDEV", Some(number)),
            8 | 9 if !ties => Item::Aggregate(self.random.word(&["FIRST", "LAST"]), Some(if self.random.one_in(2) { column } else { any })),
            10 if !ties && !is_windowed => Item::Aggregate("LAST_ROW", Some(column)),
            11 => Item::Sum(Box::new(Item::Aggregate("SUM", Some(number.clone()))), Box::new(Item::Aggregate("COUNT", Some(number)))),
            _ => Item::Aggregate("SUM", Some(Expr::column(self.random, scope, Kind::is_number).unwrap_or(number))),
        }
    }

    fn aggregates(&mut self, scope: &Scope, ties: bool, is_windowed: bool) -> Vec<Item> {
        (0..=self.random.below(4)).map(|_| self.aggregate(scope, ties, is_windowed)).collect()
    }

    fn keys(&mut self, source: &Source, scope: &Scope, most: usize) -> Vec<Expr> {
        let mut keys: Vec<Expr> = Vec::new();
        for _ in 0..self.random.below(most + 1) {
            let key = match self.random.below(5) {
                0 | 1 if matches!(source, Source::Super) => Expr::Column("tbname".into(), Kind::Varchar),
                2 if matches!(source, Source::Super) => Expr::Column("g".into(), Kind::Int),
                3 => Expr::text(self.random, scope).unwrap_or_else(|| Expr::Column(scope[0].0.clone(), scope[0].1)),
                _ => Expr::column(self.random, scope, |kind| !matches!(kind, Kind::Bytes | Kind::Decimal))
                    .unwrap_or_else(|| Expr::Column(scope[0].0.clone(), scope[0].1)),
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn having(&mut self, scope: &Scope) -> Option<(Item, &'static str, Cell)> {
        if !self.random.one_in(4) {
            return None;
        }
        let number = Expr::number(self.random, scope, 0, self.world.base);
        let item = if self.random.one_in(2) { Item::Aggregate("COUNT", None) } else { Item::Aggregate(self.random.word(&["SUM", "MAX", "AVG"]), Some(number)) };
        Some((item, self.random.word(&[">", "<", ">=", "<>"]), Cell::Int(self.random.between(0, 6).into())))
    }

    fn groups(&mut self) -> Select {
        let source = self.source();
        let scope = self.scope(&source);
        let keys = self.keys(&source, &scope, 2);
        let ties = self.has_ties(&source, &keys);
        let is_group_by = self.random.one_in(2);
        let mut items: Vec<Item> = (0..keys.len()).map(Item::Key).collect();
        items.extend(self.aggregates(&scope, ties, false));
        if keys.is_empty() && matches!(source, Source::Table(_)) && self.random.one_in(4) {
            items.push(Item::Aggregate("ELAPSED", Some(Expr::Column("ts".into(), Kind::Time))));
        }
        let having = if keys.is_empty() { None } else { self.having(&scope) };
        let select = self.select(source, Shape::Groups { keys, is_group_by, window: None, fill: None, items, having });
        self.ordered(select)
    }

    fn window(&mut self, scope: &Scope, ties: bool) -> Window {
        let step = self.world.step;
        match self.random.below(if ties { 4 } else { 8 }) {
            0..=2 => {
                let steps = self.random.between(1, 60);
                let slide = if self.random.one_in(3) { Some(self.random.between((steps + 9) / 10, steps) * step) } else { None };
                let offset = if self.random.one_in(3) && steps > 1 { self.random.between(1, steps - 1) * step } else { 0 };
                Window::Interval(steps * step, offset, slide)
            }
            3 => Window::Session(self.random.between(1, 30) * step),
            4 => Window::Count(2 + self.random.below(6), 0),
            5 => match Expr::column(self.random, scope, |kind| kind == Kind::Bool || kind == Kind::Varchar || kind.is_whole()) {
                Some(state) => Window::State(state),
                None => Window::Session(step),
            },
            6 => Window::Event(self.plain_condition(scope), self.plain_condition(scope)),
            _ => Window::Count(3, 0),
        }
    }

    fn plain_condition(&mut self, scope: &Scope) -> Cond {
        let operator = self.random.word(&["=", "<>", "<", "<=", ">", ">="]);
        let number = Expr::column(self.random, scope, Kind::is_number).unwrap_or(Expr::Literal(Cell::Int(1)));
        let value = Cell::Int(self.random.between(0, 5).into());
        let simple = Cond::Compare(number, operator, Expr::Literal(value));
        match self.random.below(4) {
            0 => Cond::Either(Box::new(simple), Box::new(Cond::random(self.random, scope, 0, self.world.base))),
            1 => Cond::Both(Box::new(simple), Box::new(Cond::random(self.random, scope, 0, self.world.base))),
            _ => simple,
        }
    }

    fn windowed(&mut self, source: Source) -> Select {
        let scope = self.scope(&source);
        let keys = if matches!(source, Source::Sub(_)) { Vec::new() } else { self.keys(&source, &scope, 2) };
        let ties = self.has_ties(&source, &keys);
        // Windows are known by their start: two of rows at one time are one, as recorded.
        let mut window = self.window(&scope, ties || self.world.key.is_some());
        if let Window::Count(count, slide) = &mut window {
            *slide = if self.random.one_in(2) { *count } else { 1 + self.random.below(*count) };
        }
        // Of the tags only what is grouped by can be a state.
        if let Window::State(Expr::Column(name, _)) = &window
            && (name == "g" || name == "h")
        {
            window = Window::Session(self.world.step * 3);
        }
        let mut items: Vec<Item> = (0..keys.len()).map(Item::Key).collect();
        items.extend([Item::Start, Item::End]);
        if self.random.one_in(3) {
            items.push(Item::Duration);
        }
        items.extend(self.aggregates(&scope, ties, true));
        let having = self.having(&scope);
        let select = self.select(source, Shape::Groups { keys: keys.clone(), is_group_by: false, window: Some(window), fill: None, items, having });
        let mut select = self.ordered(select);
        if keys.len() == 1 && select.order.is_empty() && select.limit.is_none() && self.random.one_in(4) {
            select.groups = Some(1 + self.random.below(2));
        }
        select
    }

    fn windows(&mut self) -> Select {
        let source = self.source();
        self.windowed(source)
    }

    fn fills(&mut self) -> Select {
        let source = self.source();
        let scope = self.scope(&source);
        let keys = match (&source, self.random.below(3)) {
            (Source::Super, 0) => vec![Expr::Column("tbname".into(), Kind::Varchar)],
            (Source::Super, 1) => vec![Expr::Column("g".into(), Kind::Int)],
            _ => Vec::new(),
        };
        let range = self.world.range(self.random);
        let step = self.world.step;
        let least = ((range.1 - range.0) / step / 60 + 1).max(1);
        let length = self.random.between(least, least + 20) * step;
        let offset = if self.random.one_in(3) && length > step { step } else { 0 };
        let column = |generator: &mut Self| Expr::column(generator.random, &scope, Kind::is_number).unwrap_or_else(|| Expr::Column("ci".into(), Kind::Int));
        let mut items: Vec<Item> = (0..keys.len()).map(Item::Key).collect();
        items.push(Item::Start);
        for _ in 0..=self.random.below(3) {
            let column = column(self);
            items.push(Item::Aggregate(self.random.word(&["COUNT", "SUM", "AVG", "MIN", "MAX"]), Some(column)));
        }
        let value = self.random.between(0, 7);
        let fill = *self.random.pick(&[Fill::None, Fill::Null, Fill::NullForced, Fill::Value(value), Fill::ValueForced(value), Fill::Prev, Fill::Next]);
        let shape = Shape::Groups { keys, is_group_by: false, window: Some(Window::Interval(length, offset, None)), fill: Some(fill), items, having: None };
        let mut select = self.select(source, shape);
        select.range = Some(range);
        select
    }

    fn joins(&mut self) -> Select {
        let (one, other) = (self.table(), self.table());
        let is_equal = self.world.key.is_some() || self.random.one_in(2);
        let kinds = [
            JoinKind::Inner,
            JoinKind::Left,
            JoinKind::Right,
            JoinKind::Full,
            JoinKind::LeftSemi,
            JoinKind::LeftAnti,
            JoinKind::RightSemi,
            JoinKind::RightAnti,
        ];
        // Not zero: `0b` begins a binary number.
        let (start, end) = (*self.random.pick(&[-12, -5, -1, 1, 2]), self.random.between(3, 12));
        let kind = match (is_equal, self.random.below(4)) {
            (true, 0) => JoinKind::Inner,
            (true, _) => *self.random.pick(&kinds),
            (false, 0 | 1) => JoinKind::LeftWindow(start, end),
            (false, _) => JoinKind::LeftAsof(self.random.word(&[">=", ">", "<=", "<", "="])),
        };
        let tables = if is_equal && self.random.one_in(4) { None } else { Some((one, other)) };
        let mut join = Join { kind, tables, on: None, limit: None };
        if !is_equal && self.random.one_in(2) {
            join.limit = Some(1 + self.random.below(3));
        }
        let left = "a.ci".to_owned();
        if matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full) && self.random.one_in(3) {
            join.on = Some(Cond::Compare(Expr::Column(left, Kind::Int), self.random.word(&["<", ">", "=", "<>"]), Expr::Column("b.ci".into(), Kind::Int)));
        }
        let source = Source::Join(Box::new(join));
        let scope = self.scope(&source);
        // Over a window join aggregates are of each driving row.
        let shape = if self.random.one_in(3) && !matches!(kind, JoinKind::LeftWindow(..)) {
            let items = self.aggregates(&scope, true, true);
            Shape::Groups { keys: Vec::new(), is_group_by: false, window: None, fill: None, items, having: None }
        } else {
            let items = (0..=self.random.below(4)).map(|_| Expr::random(self.random, &scope, self.world.base)).collect();
            Shape::Rows { distinct: false, items }
        };
        let mut select = self.select(source, shape);
        select.range = None;
        self.ordered(select)
    }

    /// What the last cache may answer.
    fn newest(&mut self) -> Select {
        let source = self.source();
        let scope = self.scope(&source);
        let keys = if matches!(source, Source::Super) && (self.world.is_shared || self.random.one_in(2)) {
            vec![Expr::Column("tbname".into(), Kind::Varchar)]
        } else {
            Vec::new()
        };
        let mut items: Vec<Item> = (0..keys.len()).map(Item::Key).collect();
        for _ in 0..=self.random.below(3) {
            let column = if self.random.one_in(4) {
                Expr::Column("ts".into(), Kind::Time)
            } else {
                Expr::column(self.random, &scope, |_| true).unwrap_or(Expr::Column("ts".into(), Kind::Time))
            };
            items.push(Item::Aggregate(self.random.word(&["LAST", "LAST_ROW"]), Some(column)));
        }
        let shape = Shape::Groups { keys, is_group_by: self.random.one_in(2), window: None, fill: None, items, having: None };
        let mut select = self.select(source, shape);
        if !self.random.one_in(4) {
            (select.range, select.filter) = (None, None);
        }
        select
    }

    fn series_source(&mut self) -> (Source, bool) {
        if self.random.one_in(2) { (Source::Super, true) } else { (Source::Table(self.table()), false) }
    }

    fn interpolated(&mut self) -> Select {
        let (source, by_table) = self.series_source();
        let scope = self.scope(&source);
        let scope: Scope = scope.into_iter().filter(|(name, _)| name != "g").collect();
        let between = *self.random.pick(&[Between::Null, Between::Value(3), Between::Prev, Between::Next, Between::Linear]);
        let linear = if between == Between::Linear { Expr::column(self.random, &scope, |kind| kind == Kind::Double) } else { None };
        let between = if between == Between::Linear && linear.is_none() { Between::Prev } else { between };
        let column = linear.or_else(|| Expr::column(self.random, &scope, Kind::is_number)).unwrap_or_else(|| Expr::Column("ci".into(), Kind::Int));
        let range = self.world.range(self.random);
        let every = ((range.1 - range.0) / self.world.step / 40 + self.random.between(1, 9)) * self.world.step;
        let skips_nulls = between == Between::Linear || self.random.one_in(2);
        let shape = Shape::Interpolated { by_table, column, range, every, between, skips_nulls };
        let mut select = self.select(source, shape);
        select.range = None;
        select
    }

    fn series(&mut self) -> Select {
        let (source, by_table) = self.series_source();
        let scope: Scope = self.scope(&source).into_iter().filter(|(name, _)| name != "g").collect();
        let column = Expr::column(self.random, &scope, Kind::is_number).unwrap_or_else(|| Expr::Column("ci".into(), Kind::Int));
        let operator = self.random.word(&["LT", "GT", "LE", "GE", "NE", "EQ"]);
        let value = self.random.between(-1, 4);
        let count = 1 + self.random.below(5);
        let flag = self.random.one_in(2);
        let series = match self.random.below(10) {
            0 => Series::Diff(column, flag),
            1 => Series::RunningSum(column),
            2 => Series::MovingAverage(column, count),
            3 => Series::StateCount(column, operator, value),
            4 => Series::StateDuration(column, operator, value),
            5 => Series::Derivative(column, flag),
            6 => Series::Tail(column, count, self.random.below(3)),
            7 => Series::Top(column, count),
            8 => Series::Bottom(column, count),
            _ => Series::Unique(column),
        };
        self.select(source, Shape::Series { by_table, series })
    }

    fn over_subquery(&mut self) -> Select {
        let table = self.table();
        let inner_source = Source::Table(table);
        let scope = self.scope(&inner_source);
        let inner = if self.random.one_in(3) {
            let length = self.random.between(2, 40) * self.world.step;
            let mut items = vec![Item::Start];
            items.extend(self.aggregates(&scope, false, true));
            let window = Some(Window::Interval(length, 0, None));
            self.select(inner_source, Shape::Groups { keys: Vec::new(), is_group_by: false, window, fill: None, items, having: None })
        } else {
            let items = self.items(&scope, Expr::Column("ts".into(), Kind::Time));
            self.select(inner_source, Shape::Rows { distinct: false, items })
        };
        let source = Source::Sub(Box::new(inner));
        let scope = self.scope(&source);
        match self.random.below(3) {
            0 => {
                let items = self.items(&scope, Expr::Column("ts".into(), Kind::Time));
                let select = self.select(source, Shape::Rows { distinct: false, items });
                self.ordered(select)
            }
            1 => {
                let keys = if scope.is_empty() { Vec::new() } else { self.keys(&source, &scope, 1) };
                let mut items: Vec<Item> = (0..keys.len()).map(Item::Key).collect();
                items.extend(self.aggregates(&scope, true, true));
                let is_group_by = self.random.one_in(2);
                let select = self.select(source, Shape::Groups { keys, is_group_by, window: None, fill: None, items, having: None });
                self.ordered(select)
            }
            _ => self.windowed(source),
        }
    }
}

fn kind_of(item: &Item) -> Kind {
    match item {
        Item::Start | Item::End => Kind::Time,
        Item::Aggregate("COUNT", _) | Item::Duration | Item::Key(_) => Kind::Big,
        Item::Aggregate("SUM", Some(argument)) if argument.kind().is_whole() => Kind::Big,
        Item::Aggregate("MIN" | "MAX" | "FIRST" | "LAST" | "LAST_ROW", Some(argument)) => argument.kind(),
        _ => Kind::Double,
    }
}
