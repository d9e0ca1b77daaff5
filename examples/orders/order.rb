# Ruby: an order, and what to do when its answer is not a plain yes or no.
#
# Net::HTTP sends GET, HEAD, PUT, DELETE, OPTIONS and TRACE again, once and silently, after a timeout or a closed connection:
# max_retries = 0 switches that off. It does not repeat POST.
require 'json'
require 'net/http'
require 'openssl'
require 'securerandom'

TARGET = URI("#{ENV.fetch('TRUNKLINE', 'http://127.0.0.1:8642')}/binance/api/v3/order")
HTTP = Net::HTTP.new(TARGET.host, TARGET.port, nil) # nil: no proxy of the environment
HTTP.max_retries = 0
HTTP.read_timeout = 20 # longer than total_timeout (9s), so that trunkline's verdict comes first
FAILED = [SystemCallError, IOError, Timeout::Error, Net::HTTPBadResponse, SocketError].freeze

def signed(fields)
  query = URI.encode_www_form(fields.merge(timestamp: (Time.now.to_f * 1000).to_i))
  "#{query}&signature=#{OpenSSL::HMAC.hexdigest('SHA256', ENV.fetch('API_SECRET'), query)}"
end

def headers
  { 'X-MBX-APIKEY' => ENV.fetch('API_KEY'), 'Content-Type' => 'application/x-www-form-urlencoded' }
end

# The order may be at the exchange: asks for it by the id that we gave it.
def find(own_id)
  [0.2, 1, 3].each do |wait|
    sleep wait
    begin
      answer = HTTP.get("#{TARGET.path}?#{signed(symbol: 'BTCUSDT', origClientOrderId: own_id)}", headers)
      return "found #{JSON.parse(answer.body)['orderId']}" if answer.is_a?(Net::HTTPSuccess)
    rescue *FAILED
      next
    end
  end
  'not found'
end

def place(own_id)
  body = signed(symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '0.01', price: '64000', newClientOrderId: own_id)
  answer = HTTP.post(TARGET.path, body, headers)
  sent = answer['Trunkline-Sent'] # trunkline's own answers have it, 409 for a copy of an order as well
  status = answer.code.to_i
  return 'not sent' if sent == 'no' # may be placed again, signed anew, if it is still wanted
  return find(own_id) if sent || status >= 500 || status == 408 # partial, yes, or the exchange does not know either

  status < 300 ? "placed #{JSON.parse(answer.body)['orderId']}" : "refused #{answer.body}"
rescue *FAILED
  find(own_id)
end

puts place(SecureRandom.hex)
