//! The command line, taken apart one option at a time.

use anyhow::{bail, Context, Result};

/// What is left of the command line.
pub struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    /// The program's own arguments, without its name.
    pub fn from_environment() -> Self {
        Self::new(std::env::args().skip(1))
    }

    /// Arguments from any list of words.
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
        }
    }

    /// Takes the first word, whatever it is.
    pub fn word(&mut self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.remove(0))
    }

    /// Takes `--name` and says whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        before != self.words.len()
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.words.iter().position(|word| {
            word == name || word.strip_prefix(name).is_some_and(|r| r.starts_with('='))
        }) else {
            return Ok(None);
        };
        let word = self.words.remove(at);
        if let Some((_, value)) = word.split_once('=') {
            return Ok(Some(value.to_owned()));
        }
        if at >= self.words.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.words.remove(at)))
    }

    /// Takes `--name NUMBER`, or gives `default`.
    pub fn number(&mut self, name: &str, default: u32) -> Result<u32> {
        match self.value(name)? {
            None => Ok(default),
            Some(text) => text
                .parse()
                .with_context(|| format!("{name} takes a number, not `{text}`")),
        }
    }

    /// The words that are left, none of which may be an option.
    pub fn rest(self) -> Result<Vec<String>> {
        match self.words.iter().find(|word| word.starts_with('-')) {
            Some(option) => bail!("unknown option `{option}`"),
            None => Ok(self.words),
        }
    }

    /// Checks that nothing is left.
    pub fn finish(self) -> Result<()> {
        match self.rest()?.first() {
            Some(word) => bail!("unexpected word `{word}`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
