//! Blocks of small JSON records, as an application's table holds them; the same seed gives the same blocks.
//!
//! One table of a shop's events, in key order: five kinds of record of 110 to 260 bytes, each with its own
//! field names, with words out of a stock (browsers, products, towns, messages) and numbers that nothing
//! predicts. What blocks share is the stock and the field names; what each must say itself is the numbers.

use std::fmt::Write as _;

const BLOCK_LEN: usize = 4096;
const TOWNS: [&str; 12] = [
    "Lisbon", "Oslo", "Nairobi", "Lima", "Osaka", "Perth", "Quito", "Tunis", "Graz", "Split", "Turku",
    "Austin",
];
const PRODUCTS: [&str; 16] = [
    "walnut desk lamp",
    "enamel kettle 1.5 l",
    "linen table cloth",
    "cast iron skillet 28 cm",
    "oak serving board",
    "wool blanket, grey",
    "stoneware mug, set of 4",
    "bamboo cutlery tray",
    "cotton bath towel 70x140",
    "glass storage jar 0.75 l",
    "folding step stool",
    "rattan laundry basket",
    "brass picture hook, 10 pieces",
    "copper watering can",
    "beech coat hanger, 6 pieces",
    "ceramic plant pot 18 cm",
];
const BROWSERS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0",
];
const MESSAGES: [&str; 10] = [
    "card declined by issuer, customer was asked for another one",
    "address could not be verified, sent to manual review",
    "voucher expired before checkout was completed",
    "parcel handed to carrier, tracking number assigned",
    "customer changed delivery window to the afternoon",
    "refund issued to original means of payment",
    "stock reservation timed out and was released",
    "password reset link sent to registered address",
    "newsletter preferences updated from the footer link",
    "invoice regenerated with corrected company name",
];

/// Whole records in key order, cut every 4096 bytes.
pub(crate) fn blocks(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice(seed);
    let mut text = String::with_capacity(count * BLOCK_LEN + 512);
    let mut key = 0;
    while text.len() < count * BLOCK_LEN {
        key += 1 + dice.roll(50);
        write!(text, "event/{key:010}").expect("a string takes every write");
        write_record(&mut text, &mut dice).expect("a string takes every write");
    }
    text.as_bytes().chunks_exact(BLOCK_LEN).take(count).map(<[u8]>::to_vec).collect()
}

fn write_record(text: &mut String, dice: &mut Dice) -> std::fmt::Result {
    let user = dice.roll(10_000_000);
    match dice.roll(5) {
        0 => {
            let (browser, page) = (dice.pick(&BROWSERS), dice.roll(4000));
            write!(
                text,
                r#"{{"type":"page_view","user":{user},"page":"/shop/item/{page}","agent":"{browser}"}}"#
            )
        }
        1 => {
            let (product, amount, cents) = (dice.pick(&PRODUCTS), 1 + dice.roll(4), dice.roll(20_000));
            write!(
                text,
                r#"{{"type":"basket_add","user":{user},"product":"{product}","amount":{amount},"unit_price":{{"cents":{cents},"currency":"EUR"}}}}"#
            )
        }
        2 => {
            let (town, post, express) = (dice.pick(&TOWNS), dice.roll(100_000), dice.roll(2) == 1);
            write!(
                text,
                r#"{{"type":"order_placed","user":{user},"delivery":{{"town":"{town}","postal_code":"{post:05}","express":{express}}},"payment":"card","gift":false}}"#
            )
        }
        3 => {
            let (message, case) = (dice.pick(&MESSAGES), dice.roll(1_000_000));
            write!(
                text,
                r#"{{"type":"note","user":{user},"case":{case},"severity":"info","message":"{message}"}}"#
            )
        }
        _ => {
            let (browser, town) = (dice.pick(&BROWSERS), dice.pick(&TOWNS));
            write!(
                text,
                r#"{{"type":"login","user":{user},"agent":"{browser}","near":"{town}","second_factor":true}}"#
            )
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn pick(&mut self, stock: &[&'static str]) -> &'static str {
        stock[self.roll(stock.len() as u64) as usize]
    }
}
