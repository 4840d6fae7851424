//! Pages of the organisation's furniture: lists that are small enough to be read whole and still
//! too long for one page.

/// How many rows a page has.
const ROWS: usize = 100;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paged<T> {
    pub(crate) rows: Vec<T>,
    /// The numbers of the pages before and after, where there are any.
    pub(crate) previous: Option<usize>,
    pub(crate) next: Option<usize>,
    /// Which page it is, counted from 1.
    pub(crate) number: usize,
}

/// The page with a number as an address has it; what is none is the first, what is beyond the
/// last is the last.
pub(crate) fn page_of<T>(rows: Vec<T>, asked: &str) -> Paged<T> {
    let last = rows.len().div_ceil(ROWS).max(1);
    let number = asked.parse::<usize>().unwrap_or(1).clamp(1, last);
    Paged {
        rows: rows
            .into_iter()
            .skip((number - 1) * ROWS)
            .take(ROWS)
            .collect(),
        previous: (number > 1).then(|| number - 1),
        next: (number < last).then_some(number + 1),
        number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_exactly_one_page() {
        let all: Vec<usize> = (0..250).collect();
        let pages: Vec<Paged<usize>> = ["", "2", "3"]
            .into_iter()
            .map(|number| page_of(all.clone(), number))
            .collect();
        let shown: Vec<usize> = pages.iter().flat_map(|page| page.rows.clone()).collect();
        assert_eq!(shown, all);
        assert_eq!((pages[0].previous, pages[0].next), (None, Some(2)));
        assert_eq!((pages[2].previous, pages[2].next), (Some(2), None));
        assert_eq!(page_of(all.clone(), "99").number, 3);
        assert_eq!(page_of(all, "0").number, 1);
        assert_eq!(page_of(Vec::<usize>::new(), "7").number, 1);
    }
}
