//! Any text parses or is refused; what parses prints to text that parses to the same tree.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(statement) = embudo_sql::parse(text) {
        let printed = statement.to_string();
        match embudo_sql::parse(&printed) {
            Ok(again) => assert_eq!(statement, again, "printed as {printed}"),
            Err(error) => panic!("{printed}: {error}"),
        }
    }
});
