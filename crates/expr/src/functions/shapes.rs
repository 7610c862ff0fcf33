//! How shapes lie to each other: the two-dimensional predicates of OGC 06-103r4, read off the DE-9IM matrix of crate `geo`.

use embudo_types::{DataType, Result, Value};
use geo::coordinate_position::CoordPos;
use geo::dimensions::Dimensions;
use geo::relate::IntersectionMatrix;
use geo::{Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, Relate};

use super::geometry::{MOST_NESTING, Reader};
use super::kernels::Values;
use super::{Function, FunctionCall, invalid_type, invalid_value};
use crate::BoundExpr;
use crate::datum::bytes_of;

/// What a matrix says of two shapes.
type Test = fn(&IntersectionMatrix) -> bool;

macro_rules! predicate {
    ($name:literal, $doc:literal, $test:expr) => {
        Function { name: $name, arguments: (2, 2), doc: $doc, bind: |call| predicate(call, $test) }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    predicate!("st_intersects", "Whether two shapes share a point.", IntersectionMatrix::is_intersects),
    predicate!("st_equals", "Whether two shapes have the same points.", IntersectionMatrix::is_equal_topo),
    predicate!("st_touches", "Whether two shapes share points, but none of their insides.", IntersectionMatrix::is_touches),
    predicate!("st_covers", "Whether no point of the second shape lies outside the first.", IntersectionMatrix::is_covers),
    predicate!("st_contains", "Whether the first shape covers the second and their insides meet.", IntersectionMatrix::is_contains),
    predicate!("st_containsproperly", "Whether the second shape lies in the first one's inside.", is_contained_properly),
];

/// No point of the second meets the first one's boundary or outside.
fn is_contained_properly(matrix: &IntersectionMatrix) -> bool {
    let meets = |first, second| matrix.get(first, second) != Dimensions::Empty;
    meets(CoordPos::Inside, CoordPos::Inside)
        && ![CoordPos::OnBoundary, CoordPos::Outside]
            .into_iter()
            .any(|first| [CoordPos::Inside, CoordPos::OnBoundary].into_iter().any(|second| meets(first, second)))
}

fn predicate(call: FunctionCall<'_>, test: Test) -> Result<BoundExpr> {
    if !call.arguments.iter().all(|argument| matches!(argument.data_type(), DataType::Geometry(_) | DataType::Null)) {
        return Err(invalid_type(call.name));
    }
    let name = call.name.to_owned();
    let function = move |values: &[Value]| {
        let (Some(first), Some(second)) = (bytes_of(&values[0]), bytes_of(&values[1])) else { return Ok(Value::Null) };
        let (Some(first), Some(second)) = (shape(&mut Reader(first), 0), shape(&mut Reader(second), 0)) else { return Err(invalid_value(&name)) };
        Ok(Value::Bool(test(&first.relate(&second))))
    };
    let precision = call.binder.context().precision;
    call.binder.call(Values { data_type: DataType::Bool, precision, function }, call.arguments, DataType::Bool)
}

/// A shape of little-endian WKB; `None` where it is none, or holds a number that is not finite.
fn shape(reader: &mut Reader<'_>, depth: usize) -> Option<Geometry<f64>> {
    let [order] = reader.take()?;
    if order != 1 || depth > MOST_NESTING {
        return None;
    }
    Some(match reader.number()? {
        1 => Geometry::Point(Point(position(reader)?)),
        2 => Geometry::LineString(line(reader)?),
        3 => Geometry::Polygon(polygon(reader)?),
        4 => Geometry::MultiPoint(MultiPoint(parts(reader, depth, |part| Point::try_from(part).ok())?)),
        5 => Geometry::MultiLineString(MultiLineString(parts(reader, depth, |part| LineString::try_from(part).ok())?)),
        6 => Geometry::MultiPolygon(MultiPolygon(parts(reader, depth, |part| Polygon::try_from(part).ok())?)),
        7 => Geometry::GeometryCollection(GeometryCollection(parts(reader, depth, Some)?)),
        _ => return None,
    })
}

fn parts<T>(reader: &mut Reader<'_>, depth: usize, part: impl Fn(Geometry<f64>) -> Option<T>) -> Option<Vec<T>> {
    (0..reader.number()?).map(|_| part(shape(reader, depth + 1)?)).collect()
}

fn position(reader: &mut Reader<'_>) -> Option<Coord<f64>> {
    let (x, y) = (f64::from_le_bytes(reader.take()?), f64::from_le_bytes(reader.take()?));
    (x.is_finite() && y.is_finite()).then_some(Coord { x, y })
}

fn line(reader: &mut Reader<'_>) -> Option<LineString<f64>> {
    (0..reader.number()?).map(|_| position(reader)).collect::<Option<Vec<_>>>().map(LineString)
}

fn polygon(reader: &mut Reader<'_>) -> Option<Polygon<f64>> {
    let mut rings = (0..reader.number()?).map(|_| line(reader)).collect::<Option<Vec<_>>>()?.into_iter();
    let outer = rings.next().unwrap_or_else(|| LineString(Vec::new()));
    Some(Polygon::new(outer, rings.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use embudo_sql::literal::wkt_to_wkb;

    fn relation(first: &str, second: &str) -> String {
        let read = |text: &str| shape(&mut Reader(&wkt_to_wkb(text).unwrap()), 0).unwrap();
        let matrix = read(first).relate(&read(second));
        let tests: [(char, Test); 6] = [
            ('I', IntersectionMatrix::is_intersects),
            ('E', IntersectionMatrix::is_equal_topo),
            ('T', IntersectionMatrix::is_touches),
            ('V', IntersectionMatrix::is_covers),
            ('C', IntersectionMatrix::is_contains),
            ('P', is_contained_properly),
        ];
        tests.iter().filter(|(_, test)| test(&matrix)).map(|(letter, _)| *letter).collect()
    }

    #[test]
    fn shapes_lie_as_they_lie() {
        let square = "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))";
        for (first, second, expected) in [
            (square, "POINT(1 2)", "IVCP"),
            (square, "POINT(0 2)", "ITV"),
            (square, "POINT(5 5)", ""),
            (square, "LINESTRING(0 0, 4 0)", "ITV"),
            (square, "LINESTRING(1 1, 2 2)", "IVCP"),
            (square, "LINESTRING(0 0, 2 2)", "IVC"),
            (square, "LINESTRING(-1 -1, 2 2)", "I"),
            (square, "POLYGON((4 4, 4 0, 0 0, 0 4, 4 4))", "IEVC"),
            (square, "POLYGON((4 0, 8 0, 8 4, 4 4, 4 0))", "IT"),
            ("LINESTRING(0 0, 2 2)", "LINESTRING(0 2, 2 0)", "I"),
            ("POINT(1 1)", "POINT(1 1)", "IEVCP"),
            ("MULTIPOINT((1 1), (2 2))", "POINT(2 2)", "IVCP"),
        ] {
            assert_eq!(relation(first, second), expected, "{first} {second}");
        }
    }

    #[test]
    fn what_is_no_shape_is_refused() {
        let whole = wkt_to_wkb("POLYGON((0 0, 4 0, 4 4, 0 0))").unwrap();
        assert!((0..whole.len()).all(|end| shape(&mut Reader(&whole[..end]), 0).is_none()));
    }
}
