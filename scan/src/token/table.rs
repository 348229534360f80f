//! How the tables of rules and forms are written.

/// Rules, by name, and the list of them.
macro_rules! rules {
    ($($name:ident = $id:literal, $title:literal, $remedy:ident;)*) => {
        $(
            pub(in crate::token) const $name: &$crate::rule::Rule = &$crate::rule::Rule {
                id: $id,
                title: $title,
                remedy: $crate::rule::Remedy::$remedy,
            };
        )*
        pub(in crate::token) const RULES: &[&$crate::rule::Rule] = &[$($name),*];
    };
}

/// Forms, by their literals. Where a literal has several, the first that fits counts.
macro_rules! shapes {
    ($($literal:literal => $($shape:expr),+;)*) => {
        pub(in crate::token) const ANCHORS: &[$crate::hit::Anchor] = &[$(
            $crate::hit::Anchor {
                literal: $literal,
                find: |input, at| {
                    const SHAPES: &[$crate::token::shape::Shape] = &[$($shape),+];
                    SHAPES.iter().find_map(|shape| shape.find($literal, input, at))
                },
            }
        ),*];

        /// The same, for what makes tokens of each form.
        #[cfg(any(test, feature = "testing"))]
        pub(in crate::token) const SHAPES: &[(&str, $crate::token::shape::Shape)] = &[$($(($literal, $shape)),+),*];
    };
}

pub(super) use {rules, shapes};
