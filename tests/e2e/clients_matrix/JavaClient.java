// SPDX-License-Identifier: Apache-2.0

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Java's HttpClient: java -cp DIR JavaClient PORT. As it is out of the box, so it offers h2c by
 * Upgrade; half one by one, half five at a time.
 */
public class JavaClient {
	static final HttpClient client = HttpClient.newHttpClient();
	static String port;

	static String method(int n) {
		return n % 7 == 3 ? "POST" : n % 7 == 5 ? "HEAD" : "GET";
	}

	static HttpRequest request(int n) {
		URI uri = URI.create("http://127.0.0.1:" + port + "/item/" + n + "?x=1");
		String method = method(n);
		return HttpRequest.newBuilder(uri)
			.method(method, method.equals("POST") ? BodyPublishers.ofString("some=body")
							      : BodyPublishers.noBody())
			.build();
	}

	static void print(int n, HttpResponse<String> reply) {
		System.out.println(n + " " + method(n) + " " + reply.statusCode());
	}

	public static void main(String[] args) throws Exception {
		port = args[0];
		for (int n = 0; n < 25; n++)
			print(n, client.send(request(n), BodyHandlers.ofString()));
		for (int first = 25; first < 50; first += 5) {
			List<CompletableFuture<HttpResponse<String>>> replies = new ArrayList<>();
			for (int n = first; n < first + 5; n++)
				replies.add(client.sendAsync(request(n), BodyHandlers.ofString()));
			for (int n = first; n < first + 5; n++)
				print(n, replies.get(n - first).get());
		}
	}
}
