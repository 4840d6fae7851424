//! SPDX licence expressions, as far as crates use them: names, AND, OR, WITH, parentheses, and the
//! older slash for OR.

/// An expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// A licence by its name, its exception included ("Apache-2.0 WITH LLVM-exception").
    Licence(String),
    /// All must be met.
    All(Vec<Expression>),
    /// One must be met.
    Any(Vec<Expression>),
}

impl Expression {
    /// Reads an expression; none if it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let spaced = text
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        let expression = any(&mut rest)?;
        rest.is_empty().then_some(expression)
    }

    /// Whether it can be met with licences that `is_allowed`.
    pub(crate) fn is_met_by(&self, is_allowed: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Licence(name) => is_allowed(name),
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(is_allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(is_allowed)),
        }
    }
}

fn any(rest: &mut &[&str]) -> Option<Expression> {
    let mut parts = vec![all(rest)?];
    while take(rest, "OR") {
        parts.push(all(rest)?);
    }
    Some(if parts.len() == 1 {
        parts.remove(0)
    } else {
        Expression::Any(parts)
    })
}

fn all(rest: &mut &[&str]) -> Option<Expression> {
    let mut parts = vec![one(rest)?];
    while take(rest, "AND") {
        parts.push(one(rest)?);
    }
    Some(if parts.len() == 1 {
        parts.remove(0)
    } else {
        Expression::All(parts)
    })
}

fn one(rest: &mut &[&str]) -> Option<Expression> {
    if take(rest, "(") {
        let inner = any(rest)?;
        return take(rest, ")").then_some(inner);
    }
    let name = word(rest)?;
    if take(rest, "WITH") {
        let exception = word(rest)?;
        return Some(Expression::Licence(format!("{name} WITH {exception}")));
    }
    Some(Expression::Licence(name.to_owned()))
}

fn word<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, others) = rest.split_first()?;
    if matches!(*first, "OR" | "AND" | "WITH" | "(" | ")") {
        return None;
    }
    *rest = others;
    Some(first)
}

fn take(rest: &mut &[&str], expected: &str) -> bool {
    match rest.split_first() {
        Some((first, others)) if *first == expected => {
            *rest = others;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(text: &str, allowed: &[&str]) -> Option<bool> {
        Expression::parse(text)
            .map(|expression| expression.is_met_by(&|licence| allowed.contains(&licence)))
    }

    #[test]
    fn expressions_are_weighed() {
        for (text, allowed, expected) in [
            ("MIT", &["MIT"][..], Some(true)),
            ("MIT", &["Apache-2.0"], Some(false)),
            ("MIT/Apache-2.0", &["Apache-2.0"], Some(true)),
            ("MIT AND BSD-3-Clause", &["MIT"], Some(false)),
            (
                "(MIT OR Apache-2.0) AND Unicode-3.0",
                &["MIT", "Unicode-3.0"],
                Some(true),
            ),
            ("MIT OR Apache-2.0 AND ISC", &["Apache-2.0"], Some(false)),
            ("MIT OR GPL-3.0", &["MIT"], Some(true)),
            (
                "Apache-2.0 WITH LLVM-exception",
                &["Apache-2.0"],
                Some(false),
            ),
        ] {
            assert_eq!(met(text, allowed), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_expression_is_not_read() {
        for text in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "AND MIT",
            "MIT Apache-2.0",
            "MIT WITH",
        ] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }
}
