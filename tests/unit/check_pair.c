/* The example's symbols: the names that different exchanges use for a pair are read as the same
 * pair. */
#include "examples/pair.h"
#include "suite.h"

static void reads(const char *symbol, const char *expected)
{
    struct pair p;
    char text[PAIR_TEXT_SIZE];
    ck_assert_msg(pair_read(span_of(symbol), &p), "'%s' was refused", symbol);
    ck_assert_str_eq(pair_text(&p, text), expected);
}

START_TEST(the_styles_of_the_exchanges)
{
    reads("BTCUSDT", "BTC/USDT");
    reads("ETHBTC", "ETH/BTC");
    reads("BNBFDUSD", "BNB/FDUSD");
    reads("BTCFDUSD", "BTC/FDUSD");
    reads("DOTUSD", "DOT/USD");
    reads("1000SATSUSDT", "1000SATS/USDT");
    reads("XXBTZUSD", "BTC/USD");
    reads("XBTUSD", "BTC/USD");
    reads("XBT/USD", "BTC/USD");
    reads("XETHXXBT", "ETH/BTC");
    reads("XETHZEUR", "ETH/EUR");
    reads("XXDGXXBT", "DOGE/BTC");
    reads("USDTZUSD", "USDT/USD");
    reads("ZEURZUSD", "EUR/USD");
    reads("SOLUSD", "SOL/USD");
    reads("XTZUSD", "XTZ/USD");
    reads("BTC-USD", "BTC/USD");
    reads("btc_usdt", "BTC/USDT");
    reads("Eth:Eur", "ETH/EUR");
}
END_TEST

START_TEST(what_is_no_symbol)
{
    static const char *const bad[] = {"",
                                      "BTC",
                                      "USDT",
                                      "-USD",
                                      "BTC-",
                                      "BTC--USD",
                                      "BTC-US-D",
                                      "BTC USD",
                                      "BTC.USD",
                                      "B\xc3\x96TUSD",
                                      "ABCDEF",
                                      "AVERYLONGNAMEUSD",
                                      "BTC-AVERYLONGNAMETHATGOESON"};
    struct pair p;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!pair_read(span_of(bad[i]), &p), "'%s' was taken", bad[i]);
    ck_assert(!pair_read((struct span){"BTC\0USD", 7}, &p));
}
END_TEST

START_TEST(a_dollar_is_a_dollar_only_if_told)
{
    struct pair a, b;
    ck_assert(pair_read(SPAN("BTCUSDT"), &a) && pair_read(SPAN("XXBTZUSD"), &b));
    ck_assert(!pair_same(&a, &b));
    pair_replace(&a, "USDC", "USD");
    ck_assert(!pair_same(&a, &b));
    pair_replace(&a, "USDT", "USD");
    ck_assert(pair_same(&a, &b));
    ck_assert(pair_read(SPAN("ETHUSD"), &a) && !pair_same(&a, &b));
}
END_TEST

SUITE()
{
    TEST(the_styles_of_the_exchanges);
    TEST(what_is_no_symbol);
    TEST(a_dollar_is_a_dollar_only_if_told);
}
