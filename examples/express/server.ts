// An Express app with Postern inside: one process, one port, one origin.
import { createServer } from 'node:http';
import express from 'express';
import { createPostern } from 'postern';

const postern = await createPostern();
const app = express();

// Before anything that reads bodies. What is not Postern's goes on to the routes below.
app.use(postern.handler);
app.use(express.json());

app.get('/me', async (request, response) => {
  const who = await postern.identify(request);
  if (who.kind === 'Unidentified') response.status(401).json({ reason: who.reason });
  else response.json({ id: who.userId, email: who.email, hasMfa: who.hasMfa });
});

const server = createServer(app);
// Subscriptions over WebSockets.
postern.attach(server);
server.listen(postern.config.port, postern.config.host, () => {
  console.log(`ready at ${postern.config.publicUrl}`);
});

process.once('SIGTERM', async () => {
  await postern.close();
  server.close();
});
