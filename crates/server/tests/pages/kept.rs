//! Pages as they were kept, and whether they still are.

use std::path::Path;

/// What is the same in every run and on every machine: no hash of the assets, no command ids, no
/// generated PIN, no fingerprint.
fn settled(page: &str) -> String {
    let mut text = String::new();
    for line in page
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
    {
        let mut line = line.to_owned();
        for (before, after) in [
            ("/assets/", "/"),
            ("name=\"command\" value=\"", "\""),
            ("name=\"user\" value=\"", "\""),
            ("name=\"pin\" type=\"text\" value=\"", "\""),
            ("name=\"credential\" value=\"", "\""),
            ("<code class=\"code-box\">", "<"),
            ("<p class=\"code-box\">", "</p>"),
            ("<code class=\"new-pin\">", "<"),
            ("<dt>Store</dt><dd><code>", "<"),
            ("<dt>Store, epoch</dt><dd><code>", "<"),
        ] {
            if let Some(at) = line.find(before).map(|at| at + before.len())
                && let Some(length) = line[at..].find(after)
            {
                line.replace_range(at..at + length, "…");
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

pub(crate) fn all_as_they_were(different: &[&str]) {
    assert!(
        different.is_empty(),
        "these pages are not as they were; look at them with OFFGATE_WRITE_PAGES=1: {different:?}"
    );
}

/// Whether an answer is the page that was kept under this name.
pub(crate) fn is_as_it_was(name: &str, answer: &str) -> bool {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
    assert!(!body.contains("<b>Ada"), "{name}: a name became markup");
    let page = settled(body);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/html");
    let file = folder.join(format!("{name}.html"));
    if std::env::var_os("OFFGATE_WRITE_PAGES").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(&file, &page).expect("written");
    }
    std::fs::read_to_string(&file).ok().as_ref() == Some(&page)
}
