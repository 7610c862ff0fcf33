//! The reference of all functions as Markdown, from the tables that bind calls: `docs/sql/functions.md`, which a test holds to it.

use std::fmt::Write;

use crate::{aggregate, functions, series};

/// The page.
pub fn reference() -> String {
    let mut page = String::from("# Functions\n\n");
    page.push_str("Made by `cargo run -p embudo-expr --example reference > docs/sql/functions.md` from the tables that the engine binds calls with.\n");
    page.push_str("\n## Scalar functions\n\n| function | arguments | meaning |\n|---|---|---|\n");
    // Writing to a String cannot fail.
    for function in functions::all() {
        let (fewest, most) = function.arguments;
        let count = match (fewest, most) {
            (fewest, most) if fewest == most => fewest.to_string(),
            (fewest, most) if most > 64 => format!("{fewest} or more"),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        let _ = writeln!(page, "| `{}` | {count} | {} |", function.name, function.doc);
    }
    page.push_str("\n## Aggregates and selectors\n\n| function | gives | meaning |\n|---|---|---|\n");
    for function in aggregate::all() {
        let gives = match function.kind {
            aggregate::Kind::Value => "a value",
            aggregate::Kind::Selector => "a value of a row, with other columns of that row",
            aggregate::Kind::Rows => "rows",
        };
        let _ = writeln!(page, "| `{}` | {gives} | {} |", function.name, function.doc);
    }
    page.push_str("\n## Functions of rows in time order\n\n| function | meaning |\n|---|---|\n");
    for function in series::all() {
        let _ = writeln!(page, "| `{}` | {} |", function.name, function.doc);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_tables_say() {
        let page = include_str!("../../../docs/sql/functions.md");
        assert!(page == reference(), "docs/sql/functions.md is old: cargo run -p embudo-expr --example reference > docs/sql/functions.md");
    }

    #[test]
    fn every_name_stands_once() {
        let mut names: Vec<&str> = functions::all().map(|function| function.name).collect();
        names.extend(aggregate::all().map(|function| function.name));
        names.extend(series::all().map(|function| function.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
