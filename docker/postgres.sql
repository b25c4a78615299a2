-- MLflow keeps its users in a database of their own. PostgreSQL runs this when it starts for the first time.
CREATE DATABASE mlflow_auth OWNER mlflow;
