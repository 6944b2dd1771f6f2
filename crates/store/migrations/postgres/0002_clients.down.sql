DROP TABLE client_feedback;
DROP TABLE launch_kits;
DROP TABLE onboarding_task_changes;
DROP TABLE onboarding_tasks;
DROP TABLE clients;
