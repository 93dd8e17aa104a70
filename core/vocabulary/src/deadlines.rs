//! Deadlines that may be or not.

/// The earlier of two, or the one there is.
#[inline]
pub fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_there_is_or_the_smaller() {
        assert_eq!(earlier(Some(3), Some(2)), Some(2));
        assert_eq!(earlier(Some(3), None), Some(3));
        assert_eq!(earlier(None, Some(2)), Some(2));
        assert_eq!(earlier::<u64>(None, None), None);
    }
}
