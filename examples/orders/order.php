<?php
// PHP: an order, and what to do when its answer is not a plain yes or no.
//
// curl sends a request again, unasked, only if a reused connection ends before a byte of the response came: CURLOPT_FORBID_REUSE
// gives each order a connection of its own (to trunkline, on this machine, that costs nothing).

const TIMEOUT_S = 20; // longer than total_timeout (9s), so that trunkline's verdict comes first

$target = (getenv('TRUNKLINE') ?: 'http://127.0.0.1:8642') . '/binance/api/v3/order';

function signed(array $fields): string
{
    $query = http_build_query($fields + ['timestamp' => (int) (microtime(true) * 1000)]);
    return $query . '&signature=' . hash_hmac('sha256', $query, getenv('API_SECRET'));
}

/** Returns [status, Trunkline-Sent, body]; a status of 0 means that no answer came. */
function send(string $target, ?string $body): array
{
    $sent = null;
    $c = curl_init($target);
    curl_setopt_array($c, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => TIMEOUT_S,
        CURLOPT_PROXY => '',
        CURLOPT_FORBID_REUSE => true,
        CURLOPT_HTTPHEADER => ['X-MBX-APIKEY: ' . getenv('API_KEY')],
        CURLOPT_HEADERFUNCTION => function ($c, $line) use (&$sent) {
            if (preg_match('/^Trunkline-Sent:\s*(\w+)/i', $line, $found))
                $sent = $found[1];
            return strlen($line);
        },
    ] + ($body === null ? [] : [CURLOPT_POSTFIELDS => $body]));
    $text = curl_exec($c);
    return $text === false ? [0, null, ''] : [curl_getinfo($c, CURLINFO_RESPONSE_CODE), $sent, $text];
}

/** The order may be at the exchange: asks for it by the id that we gave it. */
function find(string $target, string $ownId): string
{
    foreach ([200000, 1000000, 3000000] as $wait) {
        usleep($wait);
        [$status, , $text] = send($target . '?' . signed(['symbol' => 'BTCUSDT', 'origClientOrderId' => $ownId]), null);
        if ($status >= 200 && $status < 300)
            return 'found ' . json_decode($text)->orderId;
    }
    return 'not found';
}

function place(string $target, string $ownId): string
{
    [$status, $sent, $text] = send($target, signed(['symbol' => 'BTCUSDT', 'side' => 'BUY', 'type' => 'LIMIT', 'timeInForce' => 'GTC',
        'quantity' => '0.01', 'price' => '64000', 'newClientOrderId' => $ownId]));
    if ($sent === 'no') // Trunkline-Sent: trunkline's own answers have it, 409 for a copy of an order as well
        return 'not sent'; // may be placed again, signed anew, if it is still wanted
    if ($sent !== null || $status === 0 || $status >= 500 || $status === 408)
        return find($target, $ownId); // partial, yes, or the exchange does not know either
    return $status < 300 ? 'placed ' . json_decode($text)->orderId : "refused $text";
}

echo place($target, bin2hex(random_bytes(16))), "\n";
