use memchr::memmem::Finder;

/// The texts of all clients one after the other, so that a search reads memory in order.
#[derive(Debug)]
pub(super) struct Texts {
    all: String,
    /// Where each client's text ends.
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut all, mut ends) = (String::new(), Vec::new());
        for text in texts {
            all.push_str(text);
            // Nor does a word that is searched for span two clients.
            all.push('\n');
            ends.push(all.len());
        }
        Self { all, ends }
    }

    /// The positions of the clients whose text has all of some words, in small letters.
    pub(super) fn find(&self, words: &[&str]) -> Vec<usize> {
        let Some((first, others)) = words.split_first() else {
            return (0..self.ends.len()).collect();
        };
        let others: Vec<Finder<'_>> = others.iter().map(Finder::new).collect();
        let all = self.all.as_bytes();
        let mut found: Vec<usize> = Vec::new();
        let mut end = 0;
        for at in Finder::new(first).find_iter(all) {
            // Once for each client.
            if at < end {
                continue;
            }
            let position = self.ends.partition_point(|end| *end <= at);
            let begin = position.checked_sub(1).map_or(0, |before| self.ends[before]);
            end = self.ends[position];
            if others.iter().all(|word| word.find(&all[begin..end]).is_some()) {
                found.push(position);
            }
        }
        found
    }
}
