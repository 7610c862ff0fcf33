//! Prints the reference of all functions: `cargo run -p embudo-expr --example reference`.

fn main() {
    print!("{}", embudo_expr::reference());
}
