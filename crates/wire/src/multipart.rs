//! Forms of several parts (`multipart/form-data`, RFC 7578) that are in memory whole, as far as uploads need them.

/// The bytes of the part of this name.
///
/// ```
/// use embudo_wire::multipart::part;
/// let body = b"--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n1,2\r\n--x--\r\n";
/// assert_eq!(part("multipart/form-data; boundary=x", body, "data"), Some(&b"1,2"[..]));
/// ```
pub fn part<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty() && boundary.len() <= 70)?;
    let (first, delimiter) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let mut rest = match body.strip_prefix(first.as_bytes()) {
        Some(rest) => rest,
        None => after(body, delimiter.as_bytes())?,
    };
    // The last delimiter goes on with two hyphens.
    while !rest.starts_with(b"--") {
        // Blanks may stand behind a delimiter.
        rest = after(rest, b"\r\n")?;
        let (head, content) = if let Some(content) = rest.strip_prefix(b"\r\n") {
            (&b""[..], content)
        } else {
            let end = find(rest, b"\r\n\r\n")?;
            (&rest[..end], &rest[end + 4..])
        };
        let end = find(content, delimiter.as_bytes())?;
        let head = String::from_utf8_lossy(head);
        let disposition = head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim().eq_ignore_ascii_case("content-disposition"));
        if disposition.is_some_and(|(_, value)| parameter(value, "name") == Some(name)) {
            return Some(&content[..end]);
        }
        rest = &content[end + delimiter.len()..];
    }
    None
}

/// A parameter behind a header's value, without its quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, text) = parameters.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    let text = text.trim();
    Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    find(bytes, mark).map(|at| &bytes[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; charset=utf-8; boundary=\"b0\"";

    #[test]
    fn the_named_part_is_found() {
        let body = b"preamble\r\n--b0\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b0  \r\n\
            content-disposition: form-data; filename=\"a.csv\"; name=data\r\nContent-Type: text/csv\r\n\r\n1,2\r\n\r\n--b0--\r\nepilogue";
        assert_eq!(part(TYPE, body, "data"), Some(&b"1,2\r\n"[..]));
        assert_eq!(part(TYPE, body, "other"), Some(&b"x"[..]));
        for (content_type, name) in
            [(TYPE, "none"), ("text/csv", "data"), ("multipart/form-data; boundary=", "data"), ("multipart/form-data; boundary=b1", "data")]
        {
            assert_eq!(part(content_type, body, name), None, "{content_type} {name}");
        }
        for broken in [&b"--b0"[..], b"--b0\r\n", b"--b0\r\n\r\nx", b"--b0--", b""] {
            assert_eq!(part(TYPE, broken, "data"), None);
        }
    }

    proptest! {
        #[test]
        fn any_content_comes_back(content in proptest::collection::vec(any::<u8>(), 0..200), noise in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assume!(find(&content, b"\r\n--b0").is_none());
            let mut body = b"--b0\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n".to_vec();
            body.extend(&content);
            body.extend(b"\r\n--b0--");
            prop_assert_eq!(part(TYPE, &body, "data"), Some(&content[..]));
            let _ = part(TYPE, &noise, "data");
        }
    }
}
