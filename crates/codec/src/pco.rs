//! Pages of numbers packed by `pco`: smaller than this crate's own schemes and some ten times as slow to make, for rewrites of what
//! is written once and read often. Its statistics are those of a whole chunk; each page still unpacks by itself.

use embudo_types::{Error, Result};
use pco::ChunkConfig;
use pco::data_types::Number;
use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};

use crate::reader::Reader;

/// Fewer values than this are not worth a chunk's statistics.
pub const WORTH_PACKING: usize = 128;

/// A value of a column as a number that pco orders as the column does.
pub trait Packed: Copy + Default {
    /// The number.
    type Number: Number;
    /// To the number; `signed` words are taken as signed integers.
    fn number(self, signed: bool) -> Self::Number;
    /// Back from the number.
    fn value(number: Self::Number, signed: bool) -> Self;
}

macro_rules! packed_words {
    ($($word:ty, $number:ty);*) => {
        $(impl Packed for $word {
            type Number = $number;

            fn number(self, signed: bool) -> $number {
                <$number>::from(if signed { self ^ 1 << (<$word>::BITS - 1) } else { self })
            }

            fn value(number: $number, signed: bool) -> Self {
                let word = number as $word;
                if signed { word ^ 1 << (<$word>::BITS - 1) } else { word }
            }
        })*
    };
}

macro_rules! packed_floats {
    ($($float:ty);*) => {
        $(impl Packed for $float {
            type Number = $float;

            fn number(self, _: bool) -> $float {
                self
            }

            fn value(number: $float, _: bool) -> Self {
                number
            }
        })*
    };
}

// pco's smallest number has 16 bits.
packed_words!(u8, u16; u16, u16; u32, u32; u64, u64);
packed_floats!(f32; f64);

/// A chunk's statistics and its pages.
pub struct PackedPages {
    /// What [`statistics`] reads.
    pub statistics: Vec<u8>,
    /// What [`page`] reads.
    pub pages: Vec<Vec<u8>>,
}

/// Packs the values of pages, none of them empty.
pub fn pack<T: Packed>(pages: &[Vec<T>], signed: bool) -> Result<PackedPages> {
    let numbers: Vec<T::Number> = pages.iter().flatten().map(|value| value.number(signed)).collect();
    let counts = pages.iter().map(Vec::len).collect();
    let config = ChunkConfig::default().with_paging_spec(pco::PagingSpec::Exact(counts));
    let failed = |error: pco::errors::PcoError| Error::internal(format!("pco: {error}"));
    let file = FileCompressor::default();
    let mut chunk = file.chunk_compressor(&numbers, &config).map_err(failed)?;
    let statistics = chunk.write_meta(file.write_header(Vec::new()).map_err(failed)?).map_err(failed)?;
    let pages = (0..pages.len()).map(|page| chunk.write_page(page, Vec::new())).collect::<Result<_, _>>().map_err(failed)?;
    Ok(PackedPages { statistics, pages })
}

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("pco: {error}"))
}

/// Reads a chunk's statistics.
pub fn statistics<N: Number>(bytes: &[u8]) -> Result<ChunkDecompressor<N>> {
    let (file, rest) = FileDecompressor::new(bytes).map_err(damaged)?;
    let (chunk, rest) = file.chunk_decompressor(rest).map_err(damaged)?;
    if rest.is_empty() { Ok(chunk) } else { Err(Error::corrupt("bytes behind pco's statistics")) }
}

/// Appends the `count` values of a page, which is all that `reader` has left.
pub fn page<T: Packed>(chunk: &mut ChunkDecompressor<T::Number>, reader: &mut Reader<'_>, count: usize, signed: bool, out: &mut Vec<T>) -> Result<()> {
    let bytes = reader.take(reader.remaining())?;
    let mut page = chunk.page_decompressor(bytes, count).map_err(damaged)?;
    let mut numbers = vec![T::Number::default(); count];
    let progress = page.read(&mut numbers).map_err(damaged)?;
    if progress.n_processed != count || !page.into_src().is_empty() {
        return Err(Error::corrupt("pco page of another length"));
    }
    out.extend(numbers.into_iter().map(|number| T::value(number, signed)));
    Ok(())
}
