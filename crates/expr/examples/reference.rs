//! Prints the reference of all functions, from the tables that bind them: `cargo run -p embudo-expr --example reference`.

use embudo_expr::{aggregate, functions, series};

fn main() {
    println!("# Functions\n");
    println!("Made by `cargo run -p embudo-expr --example reference > docs/sql/functions.md` from the tables that the engine binds calls with.");
    println!("\n## Scalar functions\n\n| function | arguments | meaning |\n|---|---|---|");
    for function in functions::all() {
        let (fewest, most) = function.arguments;
        let count = match (fewest, most) {
            (fewest, most) if fewest == most => fewest.to_string(),
            (fewest, most) if most > 64 => format!("{fewest} or more"),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        println!("| `{}` | {count} | {} |", function.name, function.doc);
    }
    println!("\n## Aggregates and selectors\n\n| function | gives | meaning |\n|---|---|---|");
    for function in aggregate::all() {
        let gives = match function.kind {
            aggregate::Kind::Value => "a value",
            aggregate::Kind::Selector => "a value of a row, with other columns of that row",
            aggregate::Kind::Rows => "rows",
        };
        println!("| `{}` | {gives} | {} |", function.name, function.doc);
    }
    println!("\n## Functions of rows in time order\n\n| function | meaning |\n|---|---|");
    for function in series::all() {
        println!("| `{}` | {} |", function.name, function.doc);
    }
}
