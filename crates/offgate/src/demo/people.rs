//! Sixty people who do not exist, and what each presents at a door.
//!
//! All of it is fixed and public, which is why the data of a demo can never become a real
//! installation.

/// Somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) group: &'static str,
    pub(super) pin: Option<&'static str>,
    pub(super) card: Option<&'static str>,
    pub(super) plate: Option<&'static str>,
}

/// The plate of the pool car, which two people hold knowingly.
pub(super) const POOL_CAR: &str = "HH-PL 400";

const fn person(
    (first_name, last_name, group): (&'static str, &'static str, &'static str),
    pin: Option<&'static str>,
    card: Option<&'static str>,
    plate: Option<&'static str>,
) -> Person {
    Person {
        first_name,
        last_name,
        group,
        pin,
        card,
        plate,
    }
}

/// The people.
pub(super) const PEOPLE: [Person; 60] = [
    person(
        ("Amara", "Okafor", "Engineering"),
        Some("863916"),
        Some("045014EF5ED720"),
        None,
    ),
    person(
        ("Mateusz", "Kowalczyk", "Engineering"),
        None,
        Some("0414E90B82285E"),
        None,
    ),
    person(
        ("Yuki", "Tanaka", "Engineering"),
        Some("778158"),
        None,
        None,
    ),
    person(
        ("Leila", "Haddad", "Engineering"),
        Some("338525"),
        Some("047888B4A09140"),
        Some("HH-LU 7748"),
    ),
    person(
        ("Jonas", "Lindqvist", "Engineering"),
        None,
        Some("04CFCD6A6536FC"),
        None,
    ),
    person(
        ("Priya", "Raghunathan", "Engineering"),
        Some("202683"),
        None,
        None,
    ),
    person(
        ("Tomás", "Herrera", "Engineering"),
        Some("917792"),
        Some("042D5DCF3E1FD3"),
        None,
    ),
    person(
        ("Aoife", "Brennan", "Engineering"),
        None,
        Some("041F6BF54EA18C"),
        None,
    ),
    person(
        ("Minh Anh", "Nguyễn", "Engineering"),
        Some("403847"),
        Some("04BA202487D261"),
        None,
    ),
    person(
        ("Samuel", "Mensah", "Engineering"),
        Some("461153"),
        Some("0410AE9FC6C76E"),
        None,
    ),
    person(
        ("Ingrid", "Solberg", "Engineering"),
        None,
        Some("0486BB80B0FAC0"),
        Some("HH-EY 3337"),
    ),
    person(
        ("Farid", "Rahimi", "Engineering"),
        Some("733822"),
        None,
        None,
    ),
    person(
        ("Chiara", "Bianchi", "Engineering"),
        Some("247578"),
        Some("046C4161B1DFB9"),
        None,
    ),
    person(
        ("Dmitri", "Volkov", "Engineering"),
        None,
        Some("046298624A40C7"),
        None,
    ),
    person(
        ("Zanele", "Dlamini", "Engineering"),
        Some("451678"),
        None,
        None,
    ),
    person(
        ("Lukas", "Baumgartner", "Engineering"),
        Some("046499"),
        Some("04E1948CD75045"),
        None,
    ),
    person(
        ("Mei-Ling", "Chen", "Office"),
        None,
        Some("04E5ABA6971EFA"),
        Some("HH-PL 400"),
    ),
    person(
        ("Owen", "Griffiths", "Office"),
        Some("359690"),
        None,
        Some("HH-TE 5692"),
    ),
    person(
        ("Fatima Zahra", "El Idrissi", "Office"),
        Some("912775"),
        Some("04F19296A1EFB9"),
        None,
    ),
    person(
        ("Henrik", "Øvrebø", "Office"),
        None,
        Some("04CB79FB0D5D2A"),
        None,
    ),
    person(
        ("Camille", "Dubois", "Office"),
        Some("786949"),
        Some("04B88C909585D1"),
        None,
    ),
    person(
        ("Rajesh", "Iyer", "Office"),
        Some("644229"),
        Some("04F1EE837F4C9D"),
        None,
    ),
    person(
        ("Katarzyna", "Wiśniewska", "Office"),
        None,
        Some("04766BA5D3D511"),
        None,
    ),
    person(
        ("Mohammed", "Al-Sayed", "Office"),
        Some("395381"),
        None,
        None,
    ),
    person(
        ("Sofia", "Papadopoulou", "Office"),
        Some("763046"),
        Some("041E8945B68A4D"),
        Some("HH-WD 4482"),
    ),
    person(
        ("Daniel", "Adeyemi", "Office"),
        None,
        Some("049BFA89B61F7F"),
        None,
    ),
    person(("Hanna", "Virtanen", "Office"), Some("491030"), None, None),
    person(
        ("Kwame", "Asante", "Office"),
        Some("287442"),
        Some("048BCC2A8FD7B7"),
        None,
    ),
    person(
        ("Elif", "Yıldırım", "Office"),
        None,
        Some("04A95A47D30950"),
        None,
    ),
    person(("Marek", "Novotný", "Office"), Some("141764"), None, None),
    person(
        ("Isabela", "Ferreira", "Workshop"),
        Some("686195"),
        Some("04A4C7B2AFD91A"),
        None,
    ),
    person(
        ("Björn", "Sigurðsson", "Workshop"),
        None,
        Some("047297EC552EB0"),
        Some("HH-ZR 8500"),
    ),
    person(
        ("Noor", "Jansen", "Workshop"),
        Some("285174"),
        Some("041BC8F300619D"),
        None,
    ),
    person(
        ("Tariq", "Aziz", "Workshop"),
        Some("508469"),
        Some("04275B7101EE95"),
        Some("HH-PL 400"),
    ),
    person(
        ("Greta", "Hoffmann", "Workshop"),
        None,
        Some("04A069EB822E49"),
        None,
    ),
    person(
        ("Joaquín", "Morales", "Workshop"),
        Some("175558"),
        None,
        None,
    ),
    person(
        ("Siobhán", "O’Connell", "Workshop"),
        Some("333472"),
        Some("04F16E2B152AA3"),
        None,
    ),
    person(
        ("Arjun", "Mehta", "Workshop"),
        None,
        Some("04ABCD942CDE1A"),
        None,
    ),
    person(
        ("Lena", "Schröder", "Workshop"),
        Some("076658"),
        None,
        Some("HH-CL 2849"),
    ),
    person(
        ("Ousmane", "Diallo", "Workshop"),
        Some("305315"),
        Some("04EE472B4812D5"),
        None,
    ),
    person(
        ("Valentina", "Rossi", "Workshop"),
        None,
        Some("04702984287C56"),
        None,
    ),
    person(
        ("Kenji", "Watanabe", "Workshop"),
        Some("145103"),
        None,
        None,
    ),
    person(
        ("Ruth", "Abrahams", "Workshop"),
        Some("243189"),
        Some("042FB7FD10068E"),
        None,
    ),
    person(
        ("Milan", "Petrović", "Workshop"),
        None,
        Some("042CB461D48609"),
        None,
    ),
    person(
        ("Ana-Maria", "Ionescu", "Evening course"),
        Some("809247"),
        Some("04F8486441FDD5"),
        None,
    ),
    person(
        ("Tevita", "Faleolo", "Evening course"),
        Some("401287"),
        Some("04F00AB1E0842F"),
        Some("HH-EG 3618"),
    ),
    person(
        ("Clara", "Weiss", "Evening course"),
        None,
        Some("0494C67CC2F5FE"),
        None,
    ),
    person(
        ("Emeka", "Nwosu", "Evening course"),
        Some("276638"),
        None,
        None,
    ),
    person(
        ("Freya", "Thomsen", "Evening course"),
        Some("367435"),
        Some("042BDE3CA33B28"),
        None,
    ),
    person(
        ("Hao", "Wang", "Evening course"),
        None,
        Some("048C5AAA5F02BC"),
        None,
    ),
    person(
        ("Miriam", "Goldberg", "Evening course"),
        Some("994697"),
        None,
        None,
    ),
    person(
        ("Santiago", "Vargas", "Evening course"),
        Some("437751"),
        Some("040CC3139311C9"),
        None,
    ),
    person(
        ("Thandiwe", "Nkosi", "Evening course"),
        None,
        Some("043C6043BCBC8C"),
        Some("HH-FZ 8205"),
    ),
    person(
        ("Viktor", "Szabó", "Evening course"),
        Some("500878"),
        None,
        None,
    ),
    person(
        ("Wren", "Fitzgerald", "Cleaning"),
        Some("992397"),
        Some("049986C172BFF9"),
        None,
    ),
    person(
        ("Xiomara", "Castillo", "Cleaning"),
        None,
        Some("04339249D9AE92"),
        None,
    ),
    person(
        ("Yusuf", "Demir", "Cleaning"),
        Some("722311"),
        Some("04603BFB2912C8"),
        None,
    ),
    person(
        ("Zoë", "van den Berg", "Cleaning"),
        Some("747524"),
        Some("04E8FEDBDC5F4F"),
        None,
    ),
    person(
        ("Oleksandr", "Shevchenko", "Cleaning"),
        None,
        Some("041F5B2ED73CFE"),
        None,
    ),
    person(
        ("Beatriz", "Nogueira", "Cleaning"),
        Some("980500"),
        None,
        Some("HH-GH 682"),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use offgate_core::credential::{CardToken, Plate};
    use offgate_core::pin::Pin;
    use offgate_core::text::PersonName;

    use super::*;

    #[test]
    fn nobody_is_twice_and_everybody_holds_something() {
        let names: BTreeSet<_> = PEOPLE
            .iter()
            .map(|person| (person.first_name, person.last_name))
            .collect();
        assert_eq!(names.len(), PEOPLE.len());
        let pins: Vec<_> = PEOPLE.iter().filter_map(|person| person.pin).collect();
        assert_eq!(pins.iter().collect::<BTreeSet<_>>().len(), pins.len());
        let cards: Vec<_> = PEOPLE.iter().filter_map(|person| person.card).collect();
        assert_eq!(cards.iter().collect::<BTreeSet<_>>().len(), cards.len());
        for person in PEOPLE {
            assert!(person.pin.or(person.card).is_some(), "{}", person.last_name);
        }
    }

    #[test]
    fn the_rules_would_take_all_of_it() {
        for person in PEOPLE {
            PersonName::parse(person.first_name).expect("a name");
            PersonName::parse(person.last_name).expect("a name");
            if let Some(pin) = person.pin {
                assert!(!Pin::parse(pin).expect("a PIN").is_common(), "{pin}");
            }
            if let Some(card) = person.card {
                CardToken::parse(card).expect("a card");
            }
            if let Some(plate) = person.plate {
                Plate::parse(plate).expect("a plate");
            }
        }
    }
}
