// A real OpenID Connect provider (panva's oidc-provider) with people of the tests' own. Every start makes new keys.
//   PORT     where to listen on 127.0.0.1
//   GATE     http://127.0.0.1:<port of garrison>
//   ALG      RS256, PS256, ES256, EdDSA
//   LOGOUT   where it tells of logouts, if that is not Garrison
// People are told by POST /people {"id": {claims}}; anybody may log in as one of them, with any password.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const { PORT, GATE, ALG = 'RS256', LOGOUT = `${GATE}/api/auth/backchannel-logout` } = process.env;
const issuer = `http://127.0.0.1:${PORT}`;
const people = new Map();

const { privateKey } = await generateKeyPair(ALG, { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: ALG };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [{
    client_id: 'garrison',
    client_secret: 'a secret: 100% of "it" & more',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [`${GATE}/api/auth/callback`, `${GATE}/api/auth/callback/oidc`],
    post_logout_redirect_uris: [`${GATE}/`],
    id_token_signed_response_alg: ALG,
    backchannel_logout_uri: LOGOUT,
    backchannel_logout_session_required: true,
  }],
  enabledJWA: { idTokenSigningAlgValues: [ALG] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  features: { backchannelLogout: { enabled: true } },
  cookies: { keys: [randomUUID()] },
  async findAccount(ctx, id) {
    return people.has(id) && { accountId: id, claims: async () => ({ sub: id, ...people.get(id) }) };
  },
  // Nobody is asked whether Garrison may know them.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
});

// Why a logout token was not taken is otherwise nobody's to see.
for (const event of ['server_error', 'grant.error', 'authorization.error', 'backchannel.error']) {
  provider.on(event, (ctx, error) => console.error(event, error));
}

const callback = provider.callback();
createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/people') {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const told = JSON.parse(Buffer.concat(chunks));
      for (const [id, claims] of Object.entries(told)) people.set(id, claims);
      response.writeHead(204).end();
    });
  } else {
    callback(request, response);
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log(`serving 127.0.0.1:${PORT}`));
