// Java: an order, and what to do when its answer is not a plain yes or no. Run it by `java Order.java`.
//
// HttpURLConnection sends a POST again, once and silently, if the connection ends without an answer: sun.net.http.retryPost
// switches that off. java.net.http.HttpClient sends only GET and HEAD again (jdk.httpclient.enableAllMethodRetry = false, the default).
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Order {
    static final String TARGET = System.getenv().getOrDefault("TRUNKLINE", "http://127.0.0.1:8642") + "/binance/api/v3/order";

    record Answer(int status, String sent, String text) {
        String number() {
            Matcher found = Pattern.compile("\"orderId\":(\\d+)").matcher(text);
            return found.find() ? found.group(1) : "?";
        }
    }

    static String signed(String query) throws Exception {
        query += "&timestamp=" + System.currentTimeMillis();
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(System.getenv("API_SECRET").getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return query + "&signature=" + HexFormat.of().formatHex(mac.doFinal(query.getBytes(StandardCharsets.UTF_8)));
    }

    static Answer send(String method, String target, String body) throws IOException {
        HttpURLConnection c = (HttpURLConnection) new URL(target).openConnection(Proxy.NO_PROXY);
        c.setRequestMethod(method);
        c.setReadTimeout(20000); // longer than total_timeout (9s), so that trunkline's verdict comes first
        c.setRequestProperty("X-MBX-APIKEY", System.getenv("API_KEY"));
        if (!body.isEmpty()) {
            c.setDoOutput(true);
            try (OutputStream out = c.getOutputStream()) {
                out.write(body.getBytes(StandardCharsets.UTF_8));
            }
        }
        int status = c.getResponseCode();
        try (InputStream in = status < 400 ? c.getInputStream() : c.getErrorStream()) {
            String text = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            return new Answer(status, c.getHeaderField("Trunkline-Sent"), text);
        }
    }

    /** The order may be at the exchange: asks for it by the id that we gave it. */
    static String find(String ownId) throws Exception {
        for (int wait : new int[] {200, 1000, 3000}) {
            Thread.sleep(wait);
            try {
                Answer a = send("GET", TARGET + "?" + signed("symbol=BTCUSDT&origClientOrderId=" + ownId), "");
                if (a.status < 300)
                    return "found " + a.number();
            } catch (IOException e) {
                continue;
            }
        }
        return "not found";
    }

    static String place(String ownId) throws Exception {
        Answer a;
        try {
            a = send("POST", TARGET, signed("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=64000&newClientOrderId=" + ownId));
        } catch (IOException e) {
            return find(ownId);
        }
        if ("no".equals(a.sent)) // Trunkline-Sent: trunkline's own answers have it, 409 for a copy of an order as well
            return "not sent"; // may be placed again, signed anew, if it is still wanted
        if (a.sent != null || a.status >= 500 || a.status == 408)
            return find(ownId); // partial, yes, or the exchange does not know either
        return a.status < 300 ? "placed " + a.number() : "refused " + a.text;
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("sun.net.http.retryPost", "false"); // before the first request
        System.out.println(place(UUID.randomUUID().toString().replace("-", "")));
    }
}
