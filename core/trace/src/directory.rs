//! The page by which a reader finds the rings (`struct t_info`): the frames of a ring, then for each processor where
//! in the directory its list of frames stands, counted in words of four bytes.

/// Bytes that a directory of so many processors with rings of so many frames takes; `None` where the format cannot
/// say it: positions are 16-bit numbers of words.
pub fn bytes(processors: u32, frames: u32) -> Option<u32> {
    u16::try_from(frames).ok()?;
    let lists = processors.checked_mul(frames)?;
    let words = first_list(processors)?.checked_add(lists)?;
    u16::try_from(words).ok()?;
    words.checked_mul(4)
}

/// The word at which the first list of frames stands.
fn first_list(processors: u32) -> Option<u32> {
    Some(processors.checked_add(1)?.checked_mul(2)?.div_ceil(4))
}

/// The directory's words, in order. `frame` tells the frame of a processor's ring by number; the directory's words
/// have 32 bits.
pub fn words(
    processors: u32,
    frames: u32,
    frame: impl Fn(u32, u32) -> u32,
) -> impl Iterator<Item = u32> {
    let first = first_list(processors).unwrap_or(0);
    // Halves of words: the number of frames, then each list's place.
    let half = move |number: u32| match number {
        0 => frames,
        number if number <= processors => first + (number - 1) * frames,
        _ => 0,
    };
    let head = (0..first).map(move |word| half(2 * word) & 0xffff | half(2 * word + 1) << 16);
    let lists = (0..processors)
        .flat_map(move |processor| (0..frames).map(move |number| (processor, number)));
    head.chain(lists.map(move |(processor, number)| frame(processor, number)))
}
