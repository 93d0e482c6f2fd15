//! A simulator's memory across restarts: a file of JSON lines, one per change, of which the last for a key counts.
//! Appending one line costs the same however much there is, and survives the process being killed.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
struct Line<V> {
    key: String,
    value: V,
}

/// Where changes are written, or nowhere.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<File>,
    path: Option<PathBuf>,
}

impl Journal {
    /// Opens (or makes) the file and returns what it remembers by key. Without a path nothing is kept.
    ///
    /// # Errors
    /// When the file can't be read or written, or a line other than a torn last one is not JSON.
    pub fn open(path: Option<&Path>) -> io::Result<(Self, BTreeMap<String, Value>)> {
        let Some(path) = path else { return Ok((Self::default(), BTreeMap::new())) };
        let remembered = match File::open(path) {
            Ok(file) => read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        rewrite(path, &remembered)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok((Self { file: Some(file), path: Some(path.to_owned()) }, remembered))
    }

    /// Remembers `value` for `key`, in place of what was there.
    pub fn put(&mut self, key: &str, value: &impl Serialize) {
        self.append(&Line { key: key.to_owned(), value });
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &str) {
        self.append(&Line { key: key.to_owned(), value: Value::Null });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        let (Some(file), Some(path)) = (&self.file, &self.path) else { return };
        if let Err(error) = file.set_len(0) {
            tracing::error!(%error, path = %path.display(), "a simulator could not clear its state file");
        }
    }

    fn append(&mut self, line: &Line<impl Serialize>) {
        let (Some(file), Some(path)) = (&mut self.file, &self.path) else { return };
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            file.write_all(&bytes)
        });
        if let Err(error) = written {
            tracing::error!(%error, path = %path.display(), "a simulator could not save its state");
        }
    }
}

fn read(file: File) -> io::Result<BTreeMap<String, Value>> {
    let mut remembered = BTreeMap::new();
    let mut lines = BufReader::new(file).lines().peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_str::<Line<Value>>(&line?) {
            Ok(Line { key, value: Value::Null }) => drop(remembered.remove(&key)),
            Ok(Line { key, value }) => drop(remembered.insert(key, value)),
            // The process was killed while writing: that change never happened.
            Err(_) if lines.peek().is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(remembered)
}

/// Writes what is left of the history as one line per key, in one step.
fn rewrite(path: &Path, remembered: &BTreeMap<String, Value>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    let mut bytes = Vec::new();
    for (key, value) in remembered {
        serde_json::to_writer(&mut bytes, &Line { key: key.clone(), value })?;
        bytes.push(b'\n');
    }
    fs::write(&fresh, bytes)?;
    fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_a_torn_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.jsonl");
        let (mut journal, empty) = Journal::open(Some(&path)).unwrap();
        assert!(empty.is_empty());
        journal.put("a", &1);
        journal.put("b", &2);
        journal.put("a", &3);
        journal.remove("b");
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"a\",\"val").unwrap();

        let (mut journal, remembered) = Journal::open(Some(&path)).unwrap();
        assert_eq!(remembered, BTreeMap::from([("a".to_owned(), 3.into())]));
        journal.clear();
        journal.put("c", &4);
        assert_eq!(Journal::open(Some(&path)).unwrap().1, BTreeMap::from([("c".to_owned(), 4.into())]));
    }
}
