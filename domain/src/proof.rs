//! Files that prove a bank transfer: which kinds are taken, how large, and how many.

use crate::text_enum::text_enum;

/// Most bytes of one file.
pub const LARGEST_PROOF: usize = 5 * 1024 * 1024;
/// Most files of one payment; the database has as many places.
pub const MOST_PROOFS: i32 = 5;

text_enum! {
    /// The kind of a file, by its media type.
    ProofKind {
        /// A screenshot.
        Png = "image/png",
        /// A photo.
        Jpeg = "image/jpeg",
        /// A picture as some phones send it.
        Webp = "image/webp",
        /// A bank's receipt.
        Pdf = "application/pdf",
    }
}

impl ProofKind {
    /// The kind that a file's first bytes tell, whatever it is called; `None` for all that is not taken.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ => None,
        }
    }

    /// What such files' names end with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProofKind::{self, Jpeg, Pdf, Png, Webp};
    use proptest::prelude::*;

    #[test]
    fn the_first_bytes_tell_the_kind() {
        assert_eq!(ProofKind::of(b"\x89PNG\r\n\x1a\n...."), Some(Png));
        assert_eq!(ProofKind::of(b"\xff\xd8\xff\xe0\0\x10JFIF"), Some(Jpeg));
        assert_eq!(ProofKind::of(b"RIFF\x10\0\0\0WEBPVP8 "), Some(Webp));
        assert_eq!(ProofKind::of(b"%PDF-1.7"), Some(Pdf));
    }

    #[test]
    fn nothing_else_is_taken() {
        let others: [&[u8]; 9] = [
            b"",
            b"\x89PN",
            b"\x89PNG\n\x1a\n",
            b"\xff\xd8",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b" %PDF-1.7",
            b"GIF89a",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html><script>%PDF-</script>",
        ];
        for bytes in others {
            assert_eq!(ProofKind::of(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_file_cut_anywhere_is_of_its_kind_or_of_none(end in 0_usize..16) {
            for (whole, kind) in [
                (&b"\x89PNG\r\n\x1a\n12345678"[..], Png),
                (&b"RIFF\x10\0\0\0WEBPVP8 "[..], Webp),
                (&b"%PDF-1.7\n1234567"[..], Pdf),
            ] {
                let found = ProofKind::of(&whole[..end]);
                prop_assert!(found.is_none() || found == Some(kind));
            }
        }
    }
}
