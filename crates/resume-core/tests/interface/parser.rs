//! Reads the text of a varlink interface, and holds values to the types in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A type, as the varlink language has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    String,
    Object,
    Named(String),
    Array(Box<Type>),
    Map(Box<Type>),
    Maybe(Box<Type>),
    Struct(Vec<(String, Type)>),
    Enum(Vec<String>),
}

/// What a text declares.
#[derive(Debug, Default)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) types: BTreeMap<String, Type>,
    /// What each method takes and what it answers.
    pub(crate) methods: BTreeMap<String, (Type, Type)>,
    pub(crate) errors: BTreeMap<String, Type>,
}

impl Interface {
    /// Reads a whole text, or says what was expected where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable() };
        let mut interface = Self::default();
        reader.expect("interface")?;
        interface.name = reader.next()?;
        let mut names = BTreeSet::new();
        while reader.tokens.peek().is_some() {
            let keyword = reader.next()?;
            let name = reader.name(char::is_uppercase)?;
            // A name stands for one thing: clients look types, methods and errors up in one table.
            if !names.insert(name.clone()) {
                return Err(format!("`{name}` is declared twice"));
            }
            match keyword.as_str() {
                "type" => drop(interface.types.insert(name, reader.structure()?)),
                "error" => drop(interface.errors.insert(name, reader.structure()?)),
                "method" => {
                    let takes = reader.structure()?;
                    reader.expect("->")?;
                    interface.methods.insert(name, (takes, reader.structure()?));
                }
                other => return Err(format!("`{other}` declares nothing")),
            }
        }
        Ok(interface)
    }

    /// What of `value` is not as `declared`. Every path to a field that holds something is added to `seen`.
    pub(crate) fn misfits(
        &self,
        path: &str,
        value: &Value,
        declared: &Type,
        seen: &mut BTreeSet<String>,
    ) -> Vec<String> {
        let wrong = || vec![format!("{path} is {value}, declared is {declared:?}")];
        match (declared, value) {
            (Type::Maybe(_), Value::Null)
            | (Type::Object, Value::Object(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::String, Value::String(_))
            | (Type::Float, Value::Number(_)) => vec![],
            (Type::Int, Value::Number(number)) if number.is_i64() => vec![],
            (Type::Enum(words), Value::String(word)) if words.contains(word) => vec![],
            (Type::Maybe(inner), _) => self.misfits(path, value, inner, seen),
            (Type::Named(name), _) => match self.types.get(name) {
                Some(inner) => self.misfits(path, value, inner, seen),
                None => vec![format!("{path} is of the type `{name}`, which is declared nowhere")],
            },
            (Type::Array(inner), Value::Array(values)) => {
                values.iter().flat_map(|value| self.misfits(path, value, inner, seen)).collect()
            }
            (Type::Map(inner), Value::Object(values)) => {
                values.values().flat_map(|value| self.misfits(path, value, inner, seen)).collect()
            }
            (Type::Struct(fields), Value::Object(values)) => {
                let mut problems = Vec::new();
                for key in values.keys().filter(|key| fields.iter().all(|(name, _)| name != *key)) {
                    problems.push(format!("{path}.{key} is not declared"));
                }
                for (name, declared) in fields {
                    let (path, value) = (format!("{path}.{name}"), values.get(name).unwrap_or(&Value::Null));
                    if !value.is_null() {
                        seen.insert(path.clone());
                    }
                    problems.append(&mut self.misfits(&path, value, declared, seen));
                }
                problems
            }
            (
                Type::Bool
                | Type::Int
                | Type::Float
                | Type::String
                | Type::Object
                | Type::Array(_)
                | Type::Map(_)
                | Type::Struct(_)
                | Type::Enum(_),
                _,
            ) => wrong(),
        }
    }

    /// The path to every field that a value of the type `declared` may have.
    pub(crate) fn fields(&self, path: &str, declared: &Type) -> BTreeSet<String> {
        match declared {
            Type::Bool | Type::Int | Type::Float | Type::String | Type::Object | Type::Enum(_) => BTreeSet::new(),
            Type::Named(name) => self.types.get(name).map(|inner| self.fields(path, inner)).unwrap_or_default(),
            Type::Array(inner) | Type::Map(inner) | Type::Maybe(inner) => self.fields(path, inner),
            Type::Struct(fields) => {
                let below = fields.iter().flat_map(|(name, inner)| {
                    let path = format!("{path}.{name}");
                    let mut below = self.fields(&path, inner);
                    below.insert(path);
                    below
                });
                below.collect()
            }
        }
    }
}

/// The words and signs of a text, without its comments.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line.split('#').next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            let length = if rest.starts_with("->") || rest.starts_with("[]") {
                2
            } else if rest.starts_with("[string]") {
                8
            } else if "():,?".contains(first) {
                1
            } else {
                rest.find(|c| !word(c)).unwrap_or(rest.len())
            };
            if length == 0 {
                return Err(format!("no token begins with `{rest}`"));
            }
            found.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
    }
    Ok(found)
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl Reader {
    fn next(&mut self) -> Result<String, String> {
        self.tokens.next().ok_or_else(|| "the text ends too early".to_owned())
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        let found = self.next()?;
        if found == token { Ok(()) } else { Err(format!("expected `{token}`, got `{found}`")) }
    }

    fn name(&mut self, begins: impl Fn(char) -> bool) -> Result<String, String> {
        let name = self.next()?;
        let good = name.starts_with(begins) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if good { Ok(name) } else { Err(format!("`{name}` is no name here")) }
    }

    fn declared(&mut self) -> Result<Type, String> {
        if self.tokens.peek().is_some_and(|token| token == "(") {
            return self.structure();
        }
        let inner = |reader: &mut Self| reader.declared().map(Box::new);
        Ok(match self.next()?.as_str() {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "float" => Type::Float,
            "string" => Type::String,
            "object" => Type::Object,
            "?" => Type::Maybe(inner(self)?),
            "[]" => Type::Array(inner(self)?),
            "[string]" => Type::Map(inner(self)?),
            name if name.starts_with(char::is_uppercase) => Type::Named(name.to_owned()),
            other => return Err(format!("`{other}` is no type")),
        })
    }

    /// What stands in parentheses: fields with their types, or the words of an enumeration.
    fn structure(&mut self) -> Result<Type, String> {
        self.expect("(")?;
        let (mut fields, mut words) = (Vec::new(), Vec::new());
        if self.tokens.next_if(|token| token == ")").is_some() {
            return Ok(Type::Struct(fields));
        }
        loop {
            let name = self.name(char::is_alphabetic)?;
            if self.tokens.next_if(|token| token == ":").is_some() {
                fields.push((name, self.declared()?));
            } else {
                words.push(name);
            }
            if self.tokens.next_if(|token| token == ",").is_none() {
                break;
            }
        }
        self.expect(")")?;
        match (fields.is_empty(), words.is_empty()) {
            (false, true) => Ok(Type::Struct(fields)),
            (true, false) => Ok(Type::Enum(words)),
            (true, true) | (false, false) => Err("fields and words stand side by side".to_owned()),
        }
    }
}
