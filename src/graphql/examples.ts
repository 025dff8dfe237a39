/** What GraphiQL opens with: a conversation that runs as it stands, from top to bottom. */
export const EXAMPLES = `# Postern: a first conversation. Put the cursor into an operation and press Ctrl-Enter,
# or choose one from the run button. The browser holds the session in a cookie.

# 1. Ada signs up. The answer says that a code went to her address: open /outbox in another tab, where the mails of
#    this machine are shown, and click the link (or give the code and the loginToken to verifyEmail).
mutation SignUp {
  signUp(input: {
    email: "ada@example.com"
    password: "correct horse battery staple"
    name: "Ada"
    credential: COOKIE
  }) {
    __typename
    ... on PendingLogin { loginToken expiresAt }
    ... on EmailVerificationRequired { email resendAvailableAt }
    ... on LoggedIn { user { id displayName } }
    ... on InvalidInput { issues { path code } }
    ... on Problem { message }
  }
}

# 2. Once her address is verified, she logs in.
mutation LogInWithPassword {
  logInWithPassword(input: {
    email: "ada@example.com"
    password: "correct horse battery staple"
    credential: COOKIE
  }) {
    __typename
    ... on LoggedIn { session { id expiresAt } }
    ... on PendingLogin { loginToken }
    ... on Problem { message }
  }
}

# 3. Who asks?
query CurrentUser {
  currentUser {
    __typename
    ... on User { id displayName email emails { id email verified primary } hasPassword hasMfa }
    ... on Unauthenticated { reason }
  }
}

# 4. By which session?
query CurrentSession {
  currentSession {
    ... on Session { id credential createdAt expiresAt freshUntil methods { method at } }
    ... on Unauthenticated { reason }
  }
}

# 5. A JWT for another service.
mutation IssueAccessToken {
  issueAccessToken {
    ... on AccessTokenIssued { accessToken expiresAt }
    ... on Unauthenticated { reason }
  }
}

# 6. What happens to her sessions and account, as it happens: log in with another browser, or go on below.
subscription SessionEvents {
  sessionEvents {
    __typename
    id
    at
    ... on SessionStarted { session { id userAgent ipAddress } }
    ... on SessionEnded { sessionId reason }
    ... on AccountChanged { change }
  }
}

# 7. And out.
mutation LogOut {
  logOut {
    __typename
    ... on LoggedOut { sessionId }
  }
}

# 8. In again without the password: a code and a link go to the outbox.
mutation RequestLoginCode {
  requestLoginCode(input: { email: "ada@example.com", credential: COOKIE }) {
    __typename
    ... on LoginCodeRequired { loginToken expiresAt resendAvailableAt }
    ... on Problem { message }
  }
}

# 9. Forgotten? The mail leads to a page for a new password.
mutation RequestPasswordReset {
  requestPasswordReset(input: { email: "ada@example.com" }) {
    __typename
    ... on CodeSent { handle expiresAt }
    ... on Problem { message }
  }
}

# What may a client offer to somebody who is not signed in?
query AuthConfig {
  authConfig { signUpOpen loginIdentifiers emailVerification loginCodes passwordMinLength providers { id name } }
}
`;
