//! Any text parses or is refused, and what parses prints. With `EMBUDO_FUZZ_STRICT` (long runs) what is printed must also parse and print the
//! same. (Trees are not compared: a select item keeps its source text, blanks and all, to name the result.)
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(statement) = embudo_sql::parse(text) {
        let printed = statement.to_string();
        let again = embudo_sql::parse(&printed).map(|again| again.to_string());
        if std::env::var_os("EMBUDO_FUZZ_STRICT").is_some() {
            match again {
                Ok(again) => assert_eq!(printed, again, "from {text}"),
                Err(error) => panic!("{printed}: {error}"),
            }
        }
    }
});
