// SPDX-License-Identifier: Apache-2.0

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** The JDK's HttpServer: java -jar java_server.jar PORT */
public class JavaServer {
	static void answer(HttpExchange exchange) throws IOException {
		exchange.getRequestBody().readAllBytes();
		String path = exchange.getRequestURI().getPath();
		int digit = path.charAt(path.length() - 1) - '0';
		int status = digit < 6 ? 200 : digit < 9 ? 404 : 500;
		byte[] body = ("you asked for " + path + "\n").getBytes();
		boolean head = exchange.getRequestMethod().equals("HEAD");
		exchange.sendResponseHeaders(status, head ? -1 : body.length);
		if (!head)
			exchange.getResponseBody().write(body);
		exchange.close();
	}

	public static void main(String[] args) throws IOException {
		InetAddress local = InetAddress.getByName("127.0.0.1");
		HttpServer server =
			HttpServer.create(new InetSocketAddress(local, Integer.parseInt(args[0])), 64);
		server.createContext("/", JavaServer::answer);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.start();
	}
}
