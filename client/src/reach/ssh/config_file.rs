//! A block between two marks in somebody else's file: put in, replaced or taken out, everything else left as it is.

/// The first line of our block.
pub(super) const BEGIN: &str = "# >>> postern >>> written by `postern ssh-config`; changes in here are lost";
/// Its last line.
pub(super) const END: &str = "# <<< postern <<<";

const BEGIN_MARK: &str = "# >>> postern >>>";

/// A file with one mark but not the other, or with the marks in a wrong order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the marks of the postern block are incomplete; remove the lines between and around them by hand")]
pub(super) struct TornBlock;

/// The file with `block` as our block; an empty block takes it out. Doing it twice changes nothing more.
pub(super) fn with_block(file: &str, block: &str) -> Result<String, TornBlock> {
    let (before, after) = around_block(file)?;
    if block.is_empty() {
        return Ok(format!("{before}{after}"));
    }
    let ours = format!("{BEGIN}\n{}\n{END}\n", block.trim_end());
    // ssh takes the first value that it meets, so a new block goes first; it ends with a line that makes what follows
    // hold for all hosts again.
    Ok(format!("{before}{ours}{after}"))
}

/// What stands before and after our block; the whole file counts as after if there is none.
fn around_block(file: &str) -> Result<(&str, &str), TornBlock> {
    let (mut begin, mut end) = (None, None);
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        let next = at + line.len();
        if line.starts_with(BEGIN_MARK) && begin.replace(at).is_some() {
            return Err(TornBlock);
        }
        if line.trim_end() == END && end.replace(next).is_some() {
            return Err(TornBlock);
        }
        at = next;
    }
    match (begin, end) {
        (None, None) => Ok(("", file)),
        (Some(begin), Some(end)) if begin < end => {
            Ok((file.get(..begin).unwrap_or_default(), file.get(end..).unwrap_or_default()))
        }
        _ => Err(TornBlock),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    const OWN: &str = "Host other\n    User me\n";

    #[test]
    fn putting_the_block_in_twice_changes_nothing_more() {
        for file in ["", OWN, "# no end of line", "\n\n"] {
            let once = with_block(file, "Host a\n").unwrap();
            assert_eq!(with_block(&once, "Host a\n").unwrap(), once, "{file:?}");
            assert!(once.ends_with(file), "what was there stays as it was");
        }
    }

    #[test]
    fn a_new_block_takes_the_place_of_the_old_one_and_can_be_taken_out() {
        let file = format!("Host first\n{}", with_block(OWN, "Host a\n").unwrap());
        let changed = with_block(&file, "Host b\n").unwrap();
        assert!(changed.starts_with("Host first\n# >>> postern") && changed.ends_with(OWN));
        assert!(changed.contains("Host b") && !changed.contains("Host a"));
        assert_eq!(with_block(&changed, "").unwrap(), format!("Host first\n{OWN}"));
    }

    #[test]
    fn torn_marks_are_refused_and_nothing_is_guessed() {
        let whole = with_block("", "Host a\n").unwrap();
        for torn in [
            whole.replace(END, ""),
            whole.replace(BEGIN_MARK, "#"),
            format!("{whole}{whole}"),
            format!("{END}\n{BEGIN}\n"),
        ] {
            assert_eq!(with_block(&torn, "Host b\n"), Err(TornBlock), "{torn}");
        }
    }
}
